#!/usr/bin/env python3
"""Runs the real echod against hostile clients and in hostile environments, one scenario after another."""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

import admin_attacks
import blocked_outputs
import chaos
import datagrams
import network
import pressure
import slow_clients
import storms
import streams
import table
import upgrades
from scenario_run import NotPossible, Result, ScenarioRun, Settings, fail

SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.

SCENARIOS: dict[str, Callable[[ScenarioRun], None]] = {scenario.__name__: scenario for scenario in (
    slow_clients.slow_loris, slow_clients.never_reads, slow_clients.spliced_never_reads, slow_clients.tiny_windows,
    slow_clients.local_never_reads, slow_clients.local_descriptors,
    storms.rst_storm, storms.syn_and_close, storms.connect_flood, storms.port_scanner, storms.raw_scanner,
    storms.syn_flood,
    streams.urgent_data, streams.half_close_swarm, streams.flood_and_pings,
    pressure.few_descriptors, pressure.address_space, pressure.data_segment,
    pressure.stopped, pressure.cpu_starvation, pressure.full_disk, pressure.memory_cgroup,
    upgrades.upgrade_storm, upgrades.upgrade_memory_cgroup,
    admin_attacks.admin_crowd, admin_attacks.admin_browser,
    chaos.chaos_gate, *datagrams.SCENARIOS, *network.SCENARIOS)} | blocked_outputs.SCENARIOS

NEED_ROOT = ("raw_scanner", "syn_flood", "memory_cgroup", "upgrade_memory_cgroup",
             *(scenario.__name__ for scenario in (*datagrams.NEED_ROOT, *network.SCENARIOS)))
RUN_ALONE = ("spliced_never_reads",)  # They measure the memory of the system.


def run_scenario(name: str, settings: Settings) -> Result:
    result = Result(name)
    start = time.monotonic()
    run = ScenarioRun(settings, result)
    try:
        SCENARIOS[name](run)
    except NotPossible as reason:
        result.skipped = f"not possible here: {reason}"
    except Exception as error:  # Any error: the other scenarios must still run.
        fail(result, error)
    finally:
        run.close()
    result.seconds = time.monotonic() - start
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the scenarios to run; default: all")
    parser.add_argument("--echod", type=Path, default=ROOT / "build/release/daemon/echod", help="the binary")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="repeat the random choices of a run")
    parser.add_argument("--long", action="store_true", help="stop the daemon for 30 s in place of 5 s")
    parser.add_argument("--json", type=Path, default=ROOT / "build/hostile.json", help="file for the results")
    parser.add_argument("--list", action="store_true",
                        help="print the names, which scenarios need root, and which must run alone")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}; --list prints the names")
    return arguments


def main() -> int:
    arguments = parse()
    if arguments.list:
        print("\n".join(name + " root" * (name in NEED_ROOT) + " alone" * (name in RUN_ALONE) for name in SCENARIOS))
        return 0
    print(f"seed {arguments.seed}", flush=True)
    settings = Settings(arguments.echod.resolve(strict=True), arguments.seed, arguments.long)
    results = []
    for name in arguments.names or SCENARIOS:
        result = run_scenario(name, settings)
        results.append(result)
        print(f"{name}: {table.verdict(result)}, {result.seconds:.1f} s", flush=True)
    print(table.render(results))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"seed": arguments.seed, "scenarios": [asdict(one) for one in results]},
                                         indent=1) + "\n", encoding="utf-8")
    if any(result.failures for result in results):
        return 1
    return SKIPPED if all(result.skipped for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
