"""Measures what scrapes and lists of connections cost clients: runs echod with the admin socket off and on in turn.

    python3 tests/bench/admin_cost.py build/release

While echoload holds the connections and sends at a fixed rate, a client of the admin socket asks for /metrics and
/connections once a second. echod has one worker on the first processor; its clients use the others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import admin_requests
from echod_process import EchodProcess

FIRST_CPU = 0
REQUESTS = ("/metrics", "/connections")
CONFIG = 'workers = 1\n[admin]\nsocket = "{}"\n'


@dataclass(frozen=True)
class Figures:
    cpu_us: float  # CPU time of echod for an echo, all threads.
    p99_us: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="admin_cost", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda name: Path(name).resolve())
    parser.add_argument("--connections", type=int, default=15_000, metavar="N")
    parser.add_argument("--rate", type=int, default=20_000, metavar="N", help="messages per second")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--seconds", type=int, default=5, metavar="S", help="duration of each run")
    options = parser.parse_args()
    ratios = []
    print("round  CPU us off    on  ratio   p99 us off    on  ratio")
    for number in range(options.rounds):
        with_admin = (True, False) if number % 2 else (False, True)
        figures = {is_on: run(options, is_on) for is_on in with_admin}
        off, on = figures[False], figures[True]
        ratios.append((on.cpu_us / off.cpu_us, on.p99_us / off.p99_us))
        print(f"{number + 1:5}  {off.cpu_us:10.2f} {on.cpu_us:5.2f}  {ratios[-1][0]:5.3f}"
              f"   {off.p99_us:10.0f} {on.p99_us:5.0f}  {ratios[-1][1]:5.3f}", flush=True)
    cpu, p99 = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"median of the ratios: CPU for an echo {cpu:.3f}, p99 {p99:.3f}")


def run(options: argparse.Namespace, is_on: bool) -> Figures:
    others = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0) - {FIRST_CPU}))
    with tempfile.TemporaryDirectory(prefix="echod-admin-cost-") as folder:
        path = str(Path(folder) / "admin.sock")
        with EchodProcess(options.build / "daemon/echod", CONFIG.format(path if is_on else ""),
                          wrapper=("taskset", "-c", str(FIRST_CPU))) as daemon:
            has_ended = threading.Event()
            asking = threading.Thread(target=ask, args=(path, has_ended))
            if is_on:
                asking.start()
            try:
                result = json.loads(subprocess.run(
                    ["taskset", "-c", others, str(options.build / "client/echoload"), f"127.0.0.1:{daemon.port}",
                     "--connections", str(options.connections), "--rate", str(options.rate),
                     "--duration", f"{options.seconds}s", "--server-pid", str(daemon.pid), "--json", "-"],
                    check=True, stdout=subprocess.PIPE).stdout)
            finally:
                has_ended.set()
                if is_on:
                    asking.join()
    return Figures(cpu_us=result["server"]["cpu_us_per_echo"], p99_us=result["latency_us"]["p99"])


def ask(path: str, has_ended: threading.Event) -> None:
    while not has_ended.wait(1):
        for target in REQUESTS:
            answer = admin_requests.exchange(path, admin_requests.request(target))
            assert answer.status == 200, answer


if __name__ == "__main__":
    main()
