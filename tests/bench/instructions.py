"""How many instructions of user code an echo takes, by callgrind: as repeatable as time is not.

    python3 tests/bench/instructions.py build/release/daemon/echod

Two runs of different length, so that start and end are not in the difference. Needs valgrind.
"""

import argparse
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import processes
import running

MESSAGE = b"x" * 64
START_PATIENCE_S = 30


def main():
    parser = argparse.ArgumentParser(prog="instructions", description=__doc__.splitlines()[0])
    parser.add_argument("echod", type=pathlib.Path)
    echod = parser.parse_args().echod.resolve()
    for connections, short, long in ((1, 1000, 11000), (64, 20, 120)):
        difference = counted(echod, connections, long) - counted(echod, connections, short)
        echoes = connections * (long - short)
        print(f"{connections} at a time: {difference / echoes:.1f} instructions of an echo of {len(MESSAGE)} bytes")


def counted(echod, connections, rounds):
    """Of the whole process. In each round all messages are there before echod looks."""
    with tempfile.TemporaryDirectory(prefix="echod-instructions-") as work:
        output = pathlib.Path(work) / "callgrind.out"
        config = pathlib.Path(work) / "echod.toml"
        port = running.free_port()
        config.write_text('workers = 1\n[log]\nfile = ""\n')
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", str(echod), "--config", str(config)]
        words += ["--address", "127.0.0.1", "--port", str(port)]
        with processes.child(words, stderr=subprocess.DEVNULL) as process:
            peers = [connected(process, port) for _ in range(connections)]
            for _ in range(rounds):
                echo(process, peers)
            for peer in peers:
                peer.close()
            process.send_signal(signal.SIGTERM)
            process.wait()
        return int(re.search(r"^summary: (\d+)", output.read_text(), re.MULTILINE)[1])


def connected(process, port):
    deadline = time.monotonic() + START_PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit("instructions: echod does not start under valgrind")


def echo(process, peers):
    if len(peers) > 1:
        process.send_signal(signal.SIGSTOP)
    for peer in peers:
        peer.sendall(MESSAGE)
    process.send_signal(signal.SIGCONT)
    for peer in peers:
        left = len(MESSAGE)
        while left > 0:
            left -= len(peer.recv(left))


if __name__ == "__main__":
    main()
