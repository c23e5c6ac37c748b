"""Measures echod and the servers that it is compared with, by echoload, and writes a report.

Read in this order: scenarios.py (what is measured), servers.py (which servers), running.py (one run), rounds.py (all
runs), results.py (the figures, and what a ratio and a tie are), targets.py, report.py, plots.py.
"""

import argparse
import dataclasses
import os
import pathlib
import platform
import signal
import subprocess
import tempfile
import time

import extras
import formatting
import networks
import plots
import report
import rounds
import running
import scenarios
import servers
from results import Results

PUBLISHED = servers.SOURCE / "docs/performance"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("build/bench-report"), metavar="DIR")
    parser.add_argument("--publish", action="store_true", help="write docs/performance/ instead")
    parser.add_argument("--quick", action="store_true", help="fewer scenarios, peers and rounds: 5 minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="number of rounds (9; quick: 5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="duration of each run (0.5; quick: 0.4)")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME", help="only these peers; echod: no peer")
    parser.add_argument("--before", type=pathlib.Path, metavar="ECHOD", help="also measure this other echod program")
    parser.add_argument("--scenarios", nargs="*", default=[], metavar="PATTERN", help="only these, such as '64 conn*'")
    parser.add_argument("--list", action="store_true", help="print the names of scenarios and peers")
    parser.add_argument("--from", dest="source", type=pathlib.Path, metavar="FILE", help="only report these results")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.quick else 9)
    options.seconds = options.seconds or (0.4 if options.quick else 0.5)
    if options.publish:
        options.output = PUBLISHED
    options.build = options.build.resolve()
    options.before = options.before and options.before.resolve()
    unknown = set(options.peers) - {"echod"} - {peer.name for peer in servers.peers(options.build)}
    if unknown:
        parser.error(f"unknown peer: {', '.join(sorted(unknown))}; --list prints the names")
    return options


def interrupt(*_):
    """Ends like Ctrl-C, so that no server is left running."""
    raise KeyboardInterrupt


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    if options.list:
        names = [scenario.name for scenario in scenarios.matrix()]
        print("\n".join([*names, "", *(peer.name for peer in servers.peers(options.build))]))
        return
    options.output.mkdir(parents=True, exist_ok=True)
    if options.source:
        results = Results.load(options.source)
    else:
        results = Results()
        with tempfile.TemporaryDirectory(prefix="echod-bench-") as work, networks.all_networks() as (found, why):
            try:
                tools = running.Tools(options.build, pathlib.Path(work), options.seconds, found)
                measure(options, results, tools, why)
                results.about["complete"] = True
            except KeyboardInterrupt:
                rounds.say("interrupted: the report has what was measured so far")
        if not results.runs:
            return
    results.save(options.output / "results.json")
    write_report(options, results)


def write_report(options, results):
    drawn = plots.draw_all(results, options.output)
    path = options.output / ("results.md" if options.publish else "report.md")
    path.write_text(report.report(results, drawn))
    print(path)


def measure(options, results, tools, why_no_networks):
    limit = rounds.open_files()
    asked = [item for item in scenarios.matrix() if item.is_quick or not options.quick]
    asked = [item for item in asked if item.matches(options.scenarios)]
    results.skipped = rounds.skipped_for_descriptors(asked, limit) + rounds.skipped_for_network(asked, why_no_networks)
    skipped = {item["scenario"] for item in results.skipped}
    asked = [item for item in asked if item.name not in skipped]
    echods, unknown = servers.echods(tools.build, tools.work, options.before)
    wanted = echods + [peer for peer in servers.peers(tools.build) if not options.peers or peer.name in options.peers]
    found, missing = rounds.runnable(tools, wanted)
    runs = rounds.plan(options.rounds, asked, found, options.quick)
    taking_part = {run.server.name for run in runs}
    found = [server for server in found if server.name in taking_part]
    results.about = about(options, tools, limit, missing, unknown)
    results.scenarios = [described(scenario) for scenario in asked]
    results.servers = [described(server) for server in found]
    for item in results.skipped:
        rounds.say(f"skipped: {item['scenario']}: {item['why']}")
    for item in missing:
        rounds.say(f"left out: {item['server']}: {item['why']}")

    def save():
        results.save(options.output / "results.json")

    rounds.measure(tools, runs, options.rounds, results, save)
    add_system_calls(options, results, tools, runs)
    add_curves(options, results, tools, runs)


def about(options, tools, limit, missing, unknown):
    echod = [f"{tools.build}/daemon/echod", "--version"]
    version = subprocess.run(echod, capture_output=True, text=True, check=False).stdout
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "echod": version.split()[-1] if version else "?",
        "seconds": options.seconds,
        "quick": options.quick,
        "open_files": limit,
        "unknown_keys": unknown,
        "missing": missing,
        "left_out": [] if options.quick or options.scenarios else list(scenarios.LEFT_OUT),
        "rounds": 0,
        "complete": False,
    }


def described(item):
    """Returns the fields of a scenario or server for the results, without those that depend on this machine."""
    fields = dataclasses.asdict(item)
    fields.pop("command", None)
    if isinstance(item, servers.Server):
        fields["is_correct_peer"] = item.is_correct_peer
    return fields


def add_system_calls(options, results, tools, runs):
    for name in extras.TRACED_QUICKLY if options.quick else extras.TRACED:
        for run in (run for run in runs if run.round == 0 and run.scenario.name == name):
            rounds.say(f"system calls: {name}: {run.server.name}")
            entry = {"scenario": name, "server": run.server.name}
            try:
                entry["calls"] = extras.system_calls(tools, run.server, run.scenario)
            except (running.Failure, running.CannotRun) as error:
                entry["failure"] = str(error)
            results.system_calls.append(entry)


def add_curves(options, results, tools, runs):
    """Adds the latency curves: of the servers that take part in all scenarios at one rate, and of echod at several."""
    closed = results.median(extras.CURVE, "echod", "rate")
    if not closed:
        return
    present = [run.server for run in runs if run.round == 0 and run.scenario.name == extras.CURVE]
    present.sort(key=lambda server: (server.kind != "echod", server.name))
    everywhere = [server for server in present if server.kind != "floor" and not server.core_only]
    asked = [("latency", server, 0.5, server.name) for server in everywhere if not options.quick]
    for share in extras.SHARES:
        asked.append(("latency-echod", everywhere[0], share, f"{formatting.number(closed * share, 0)} per second"))
    for plot, server, share, title in asked:
        rounds.say(f"curves: {title}")
        try:
            points = extras.curve(tools, server, round(closed * share), options.seconds * 2)
        except (running.Failure, running.CannotRun) as error:
            rounds.say(f"curves: {title}: {error}")
            continue
        results.curves.append({"plot": plot, "title": title, "points": points})


if __name__ == "__main__":
    main()
