#!/usr/bin/env python3
"""Runs everything at once against one echod, for as long as asked.

Clients of many kinds check every byte; some go through the chaos gate; echoload runs beside them. Meanwhile echod is
reloaded and upgraded in place, its log is rotated, it is stopped and continued, and an operator's tools ask its admin
thread. From time to time all clients leave. Then echod must be back to its state at the start, and must have counted
every connection and byte.
"""

import argparse
import json
import random
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

import soak_verdict
from echod_process import Broken
from soak_run import Settings, SoakRun

PROGRESS_S = 10.0
PHASE_S = 30.0
MB = 1e6


class Soak:
    """Phases of load with a rest after each, then a stop under load."""

    def __init__(self, settings: Settings, seconds: float):
        self.settings = settings
        self.seconds = seconds
        self.began = time.monotonic()
        self.ends_at = self.began + seconds
        self.shows_at = self.began + PROGRESS_S
        self.is_interrupted = False

    def interrupt(self, *_: object) -> None:
        """Ctrl-C ends the soak early, with a result. A second Ctrl-C ends it at once."""
        self.is_interrupted = True
        self.ends_at = time.monotonic()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(self) -> dict[str, Any]:
        signal.signal(signal.SIGINT, self.interrupt)
        with SoakRun(self.settings, self.look) as run:
            try:
                run.rest()
                while not self.is_over(run):
                    phase_ends_at = time.monotonic() + min(PHASE_S, self.seconds / 2.5)
                    run.load(lambda: time.monotonic() >= phase_ends_at or self.is_over(run))
                    run.rest()
                last_ends_at = time.monotonic() + min(3.0, self.seconds / 5)
                run.load(lambda: time.monotonic() >= last_ends_at)
                run.stop()
            except (Broken, OSError, EOFError, ValueError) as error:
                run.add_faults([f"{type(error).__name__}: {error}"])
            return self.result(run)

    def is_over(self, run: SoakRun) -> bool:
        return time.monotonic() >= self.ends_at or run.has_upgraded_enough()

    def look(self, run: SoakRun) -> None:
        now = time.monotonic()
        if now < self.shows_at:
            return
        self.shows_at = now + PROGRESS_S
        tally = run.tally
        memory = f"{run.rests[-1].private_kib} KiB at rest" if run.rests else ""
        print(f"{now - self.began:5.0f} of {self.seconds:.0f} s: {tally.kinds.total()} streams, {tally.open} open, "
              f"{tally.received.total() / MB:.0f} MB back, {run.reloads.done['upgrades']} upgrades, {memory}, "
              f"at most {run.peak_kib}, {tally.failed + len(run.faults)} faults", flush=True)

    def result(self, run: SoakRun) -> dict[str, Any]:
        tally = run.tally
        samples = [(rest.seconds, float(rest.private_kib)) for rest in run.rests]
        faults = [*run.faults, *tally.failures]
        if tally.failed > len(tally.failures):
            faults.append(f"{tally.failed} streams failed; only the first of them are listed")
        return {
            "seed": self.settings.seed, "seconds": round(time.monotonic() - self.began, 1),
            "interrupted": self.is_interrupted, "sanitized": run.is_sanitized,
            "streams": dict(tally.kinds.most_common()), "whole_streams": tally.whole,
            "longest_turn_s": round(tally.longest_turn_s, 3), "open_at_the_end": run.open_at_the_end,
            "datagrams_sent": tally.datagrams_sent, "datagrams_received": tally.datagrams_received,
            "datagrams_dropped_by_client": tally.datagrams_dropped,
            "bytes_sent": tally.sent.total(), "bytes_received": tally.received.total(),
            "sent_hash": tally.sent_hash, "received_hash": tally.received_hash,
            "failed_streams": tally.failed, "echoload": asdict(run.load_totals), "gate": dict(run.gate_counts),
            "admin": dict(run.admin.counts),
            "reloads": dict(run.reloads.done), "upgrade_pauses_ms": sorted(run.reloads.pauses_ms),
            "actions": dict(run.actions.most_common()), "rotations": run.log.rotations, "log_lines": run.log.lines,
            "warnings_and_errors": dict(run.log.complaints),
            "closes": {f"{source} {reason}": count for (source, reason), count in sorted(run.log.reasons.items())},
            "counters": run.counters, "daemon_cpu_s": round(run.cpu_s, 2), "peak_kib": run.peak_kib,
            "peak_bound_kib": soak_verdict.peak_bound_kib(run.rests[0].private_kib) if run.rests else None,
            "descriptors": [run.daemon.descriptors_at_start, run.rests[-1].descriptors] if run.rests else None,
            "memory_slope_kib_per_hour":
                round(soak_verdict.slope_kib(soak_verdict.later(samples)), 1) if samples else None,
            "memory_slope_is_judged": not run.is_sanitized and soak_verdict.says_enough(samples),
            "rests": [asdict(rest) for rest in run.rests], "faults": faults}


def show(result: dict[str, Any]) -> None:
    def line(name: str, text: object) -> None:
        print(f"  {name:<12}{text}")

    def pairs(name: str) -> str:
        return ", ".join(f"{key} {value}" for key, value in result[name].items())

    streams, rests = sum(result["streams"].values()), result["rests"]
    print(f"\n{result['seconds']:.0f} s, seed {result['seed']}{', interrupted' if result['interrupted'] else ''}")
    line("streams", f"{streams}, {result['whole_streams']} had to come back whole, {result['failed_streams']} failed")
    line("", pairs("streams"))
    line("datagrams", f"{result['datagrams_sent']} sent, {result['datagrams_received']} came back, "
                      f"{result['datagrams_dropped_by_client']} were dropped by the clients' kernel")
    line("bytes", f"{result['bytes_sent']} sent, {result['bytes_received']} received")
    line("hash", f"{result['sent_hash']} sent")
    line("", f"{result['received_hash']} received")
    line("clients", f"at most {result['longest_turn_s']} s without serving their streams")
    line("gate", pairs("gate"))
    line("echoload", pairs("echoload"))
    line("admin", pairs("admin"))
    line("actions", f"{pairs('actions')}; {result['rotations']} rotations")
    line("reloads", pairs("reloads"))
    if pauses := result["upgrade_pauses_ms"]:
        line("pauses", f"of upgrades: median {pauses[len(pauses) // 2]} ms, longest {pauses[-1]} ms")
    line("log", f"{result['log_lines']} lines; {pairs('warnings_and_errors')}")
    line("counters", " ".join(f"{name}={value}" for name, value in result["counters"].items() if value))
    most = max((rest["cpu_share"] for rest in rests), default=0.0)
    line("CPU", f"{result['daemon_cpu_s']} s; at rest at most {most:.2%} of one")
    line("memory", f"at most {result['peak_kib']} KiB of {result['peak_bound_kib']}; {len(rests)} rests: "
                   f"{[one['private_kib'] for one in rests]}")
    line("", f"slope {result['memory_slope_kib_per_hour']} KiB per hour"
             f"{'' if result['memory_slope_is_judged'] else ', not judged: too short, or a sanitizer'}")
    line("descriptors", f"{result['descriptors']}, at the start and at the end")
    for fault in result["faults"]:
        line("FAULT", fault)
    print("passed" if not result["faults"] else f"FAILED: to repeat it, --seed {result['seed']}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="most minutes, without the final stop (5)")
    parser.add_argument("--upgrades", type=int, default=0, metavar="N",
                        help="end after N upgrades and N reloads in place, with few pauses between them")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="repeat the random choices of a run")
    parser.add_argument("--at-a-time", type=int, default=120, metavar="N", help="streams in each of two processes")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", help="the build directory to use")
    parser.add_argument("--echod", type=Path, help="use this echod")
    parser.add_argument("--echoload", type=Path, help="use this echoload")
    parser.add_argument("--json", type=Path, default=ROOT / "build/soak.json", help="file for the result")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    echod = arguments.echod or arguments.build / "daemon/echod"
    echoload = arguments.echoload or arguments.build / "client/echoload"
    settings = Settings(echod.resolve(strict=True), echoload.resolve(strict=True), arguments.seed, arguments.at_a_time,
                        arguments.upgrades)
    print(f"seed {settings.seed}", flush=True)
    result = Soak(settings, 60 * arguments.minutes).run()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
