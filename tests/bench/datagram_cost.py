"""Measures what an echo of a datagram costs echod and other servers, one after the other in each round.

    cmake --preset release -DECHOD_BENCH=ON && cmake --build --preset release
    python3 tests/bench/datagram_cost.py build/release

Each server runs on the first processor, echod with one worker; echoload uses the others. The figure is the CPU time of
the server for an echo.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from echod_process import EchodProcess, wait_until

FIRST_CPU = 0
CONFIG = 'workers = 1\n[[listen]]\nprotocol = "udp"\naddress = "127.0.0.1"\nport = {}\n'
SCENARIOS = {
    "1 client, 64 bytes": ("--connections", "1"),
    "64 clients, 64 bytes": ("--connections", "64"),
    "64 clients, 1200 bytes": ("--connections", "64", "--size", "1200"),
    "1000 clients, 64 bytes": ("--connections", "1000"),
    "16 clients, trains of 32 x 1200 bytes": ("--connections", "16", "--size", "1200", "--burst", "32"),
}
PYTHON = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
          "s.bind(('127.0.0.1', int(sys.argv[1])))\nwhile True: s.sendto(*s.recvfrom(65536))")


def main() -> None:
    parser = argparse.ArgumentParser(prog="datagram_cost", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda name: Path(name).resolve())
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=int, default=2, metavar="S", help="duration of each run")
    options = parser.parse_args()
    peers = peers_of(options.build)
    print(f"CPU us for an echo, median of {options.rounds} rounds; in brackets: echod's share of it, lost datagrams")
    for name, load in SCENARIOS.items():
        runs = [{server: run(options, server, command, load) for server, command in peers.items()}
                for _ in range(options.rounds)]
        print(name)
        for server in peers:
            cost = statistics.median(one[server][0] for one in runs)
            ratio = statistics.median(one["echod"][0] / one[server][0] for one in runs)
            lost = statistics.median(one[server][1] for one in runs)
            print(f"  {server:10} {cost:6.2f}  ({ratio:.3f}, {lost:.2%})", flush=True)


def peers_of(build: Path) -> dict[str, list[str]]:
    """Returns the commands of the servers, without the port. That of echod is empty."""
    plain = build / "tests/bench/peers/datagrams"
    if not plain.exists():
        raise SystemExit(f"datagram_cost: {plain} is missing; build with -DECHOD_BENCH=ON")
    return {"echod": [], "recvfrom": [str(plain)], "python": [sys.executable, "-c", PYTHON]}


def run(options: argparse.Namespace, server: str, command: list[str], load: tuple[str, ...]) -> tuple[float, float]:
    """Returns the CPU time in microseconds for an echo, and the share of datagrams that were lost."""
    others = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0) - {FIRST_CPU}))
    port = free_port()
    with serving(options.build, command, port) as pid:
        result = json.loads(subprocess.run(
            ["taskset", "-c", others, str(options.build / "client/echoload"), f"udp://127.0.0.1:{port}", *load,
             "--duration", f"{options.seconds}s", "--timeout", "500ms", "--server-pid", str(pid), "--json", "-"],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
    return result["server"]["cpu_us_per_echo"], result["datagrams"]["lost"] / max(1, result["datagrams"]["sent"])


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def serving(build: Path, command: list[str], port: int) -> Iterator[int]:
    pinned = ("taskset", "-c", str(FIRST_CPU))
    if not command:
        with EchodProcess(build / "daemon/echod", CONFIG.format(port), wrapper=pinned) as daemon:
            yield daemon.pid
        return
    process = subprocess.Popen([*pinned, *command, str(port)])
    try:
        wait_until("the server", lambda: answers(port))
        yield process.pid
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        try:
            client.send(b"x")
            return client.recv(2) == b"x"
        except OSError:
            return False


if __name__ == "__main__":
    main()
