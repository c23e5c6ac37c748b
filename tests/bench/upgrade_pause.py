"""Measures how long clients wait during an upgrade in place.

    python3 tests/bench/upgrade_pause.py build/release

echoload holds the connections and sends at a fixed rate. Meanwhile the number of workers is changed again and again,
which only an upgrade applies. Prints for each upgrade the pause that echod reports, and the 99th percentile and the
maximum of the latency of the messages that were due around it. --plot FILE draws the latency over time around the
upgrade with the median pause.
"""

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import plots
from echod_process import EchodProcess, wait_until

CONFIG = "workers = {}\n[limits]\nopen_files = {}\n[log]\nfile_level = \"info\"\n"
PAUSE = re.compile(r"the pause took (\d+) ms")
INTERVAL_S = 0.05
BEFORE_S = 0.5  # Messages from this long before an upgrade ...
AFTER_S = 1.0   # ... until this long after its begin are counted as those around it.


@dataclass(frozen=True)
class Upgrade:
    began_s: float  # Since the first interval of echoload.
    pause_ms: int
    p99_ms: float
    max_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="upgrade_pause", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda name: Path(name).resolve())
    parser.add_argument("--connections", type=int, default=15_000, metavar="N")
    parser.add_argument("--rate", type=int, default=2_000, metavar="N", help="messages per second")
    parser.add_argument("--upgrades", type=int, default=20, metavar="N")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="an SVG; needs gnuplot")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="echod-upgrade-pause-") as folder:
        result, began, pauses = run(options, Path(folder) / "result.json")
    upgrades = [around(result["series"], moment, pause) for moment, pause in zip(began, pauses, strict=True)]
    print("upgrade  pause ms  p99 ms  max ms")
    for number, upgrade in enumerate(upgrades, 1):
        print(f"{number:7}  {upgrade.pause_ms:8}  {upgrade.p99_ms:6.1f}  {upgrade.max_ms:6.1f}")
    for name in ("pause_ms", "p99_ms", "max_ms"):
        values = [getattr(upgrade, name) for upgrade in upgrades]
        print(f"{name}: median {statistics.median(values):.1f}, highest {max(values):.1f}")
    print(f"{result['echoes']} messages, {result['errors']['total']} errors")
    if options.plot:
        draw(result["series"], sorted(upgrades, key=lambda one: one.pause_ms)[len(upgrades) // 2], options.plot)


def run(options: argparse.Namespace, json_file: Path) -> tuple[dict, list[float], list[int]]:
    """Returns echoload's result, and for each upgrade its begin since the first interval, and its pause."""
    seconds = options.upgrades * (BEFORE_S + AFTER_S) + 2
    with EchodProcess(options.build / "daemon/echod", CONFIG.format(1, 0)) as daemon:
        client = subprocess.Popen(
            [str(options.build / "client/echoload"), f"127.0.0.1:{daemon.port}", "--connections",
             str(options.connections), "--rate", str(options.rate), "--duration", f"{seconds}s", "--interval",
             f"{int(INTERVAL_S * 1000)}ms", "--json", str(json_file)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            wait_until("the connections", lambda: daemon.counters()["connections"] >= options.connections)
            wait_until("the first messages", lambda: daemon.counters()["echoes"] > options.rate)
            moments = []
            for number in range(options.upgrades):
                time.sleep(BEFORE_S)
                daemon.config_file.write_text(CONFIG.format(1 + (number + 1) % 2, 0), encoding="utf-8")
                moments.append(time.time())
                daemon.signal(signal.SIGHUP)
                daemon.wait_for_log("the pause took", number + 1)
                time.sleep(AFTER_S - BEFORE_S)
        finally:
            client.wait()
        pauses = [int(pause) for pause in PAUSE.findall(daemon.log_text())]
        result = json.loads(json_file.read_text(encoding="utf-8"))
    measured_from = datetime.fromisoformat(result["measured_from"]).timestamp()
    return result, [moment - measured_from for moment in moments], pauses


def around(series: list[dict], began_s: float, pause_ms: int) -> Upgrade:
    near = [one for one in series if began_s - INTERVAL_S <= one["start_s"] <= began_s + AFTER_S and one["echoes"]]
    latency = max((one["latency_us"] for one in near), key=lambda one: one["max"])
    p99 = latency["p99"] or latency["max"]  # Too few messages for a percentile: an upper bound.
    return Upgrade(began_s=began_s, pause_ms=pause_ms, p99_ms=p99 / 1000, max_ms=latency["max"] / 1000)


def draw(series: list[dict], upgrade: Upgrade, svg: Path) -> None:
    near = [one for one in series
            if upgrade.began_s - BEFORE_S <= one["start_s"] <= upgrade.began_s + AFTER_S and one["echoes"]]
    rows = [f"{one['start_s'] - upgrade.began_s:.3f} {one['latency_us']['p50'] / 1000:.3f} "
            f"{one['latency_us']['max'] / 1000:.3f}" for one in near]
    script = (plots.preamble(f"Latency around an upgrade with a pause of {upgrade.pause_ms} ms", height=360)
              + plots.data_block("latency", rows)
              + 'set xlabel "seconds since the reload was requested"\nset ylabel "ms"\nset yrange [0:*]\n'
              + "plot $latency using 1:3 with steps title 'maximum', '' using 1:2 with steps title 'median'\n")
    if not plots.gnuplot(script.replace("@SVG@", str(svg))):
        raise SystemExit("upgrade_pause: gnuplot could not draw the plot")


if __name__ == "__main__":
    main()
