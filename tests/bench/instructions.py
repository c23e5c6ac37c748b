"""Counts the user-space instructions of an echo by callgrind. Unlike times, the figures are repeatable.

    python3 tests/bench/instructions.py build/release

It takes the difference of two runs of different length, so start and end cancel out. Needs valgrind.
"""

import argparse
import os
import pathlib
import re
import signal
import socket
import tempfile

import extras
import running
import servers

MESSAGE = b"x" * 64


def main():
    parser = argparse.ArgumentParser(prog="instructions", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    build = parser.parse_args().build.resolve()
    for protocol in ("tcp", "udp"):
        for connections, short, long in ((1, 1000, 11000), (64, 20, 120)):
            difference = counted(build, protocol, connections, long) - counted(build, protocol, connections, short)
            figure = difference / (connections * (long - short))
            print(f"{protocol}, {connections} at a time: {figure:.1f} instructions for an echo of {len(MESSAGE)} bytes")


def counted(build, protocol, connections, rounds):
    """Returns the instructions of the whole process. In each round all messages arrive before echod continues."""
    with tempfile.TemporaryDirectory(prefix="echod-instructions-") as folder:
        tools = running.Tools(build=build, work=pathlib.Path(folder), seconds=0)
        output = tools.work / "callgrind.out"
        valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={output}")
        server = next(one for one in servers.echods(tools.build, tools.work)[0] if one.protocol == protocol)
        with running.serving(tools, server, connections, prefix=valgrind) as process:
            kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
            peers = [socket.socket(type=kind) for _ in range(connections)]
            for peer in peers:
                peer.connect(("127.0.0.1", process.port))
            for _ in range(rounds):
                echo(process.pid, peers)
            for peer in peers:
                peer.close()
            os.kill(process.pid, signal.SIGTERM)
            extras.wait_for_end(process.pid)
        return int(re.search(r"^summary: (\d+)", output.read_text(), re.MULTILINE)[1])


def echo(pid, peers):
    if len(peers) > 1:
        os.kill(pid, signal.SIGSTOP)
    for peer in peers:
        peer.sendall(MESSAGE)
    os.kill(pid, signal.SIGCONT)
    for peer in peers:
        left = len(MESSAGE)
        while left > 0:
            left -= len(peer.recv(left))


if __name__ == "__main__":
    main()
