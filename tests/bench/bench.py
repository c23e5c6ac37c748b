"""Measures echod, and the peers that are built, with echoload, and writes a report.

All servers take part in every round, in turns, each on a CPU of its own with the client on another;
ratios are of the same round, since absolute times wander from one minute to the next. A ratio whose
spread over the rounds includes 1 is a tie.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PEERS = SOURCE / "tests/bench/peers/peers.json"


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    kind: str  # As peers.json names them.
    connections: int
    arguments: tuple = ()
    is_quick: bool = True


SCENARIOS = (
    Scenario("1 connection, 64 bytes", "echo", 1),
    Scenario("64 connections, 64 bytes", "echo", 64),
    Scenario("64 connections, 64 bytes, depth 16", "echo", 64, ("--depth", "16")),
    Scenario("64 connections, 1 KiB", "echo", 64, ("--size", "1k"), is_quick=False),
    Scenario("64 connections, 16 KiB", "echo", 64, ("--size", "16k")),
    Scenario("1000 connections, 64 bytes", "echo", 1000, is_quick=False),
    Scenario("10000 connections, 64 bytes", "echo", 10000, is_quick=False),
    Scenario("8 connections, 256 KiB", "bulk", 8, ("--size", "256k")),
    Scenario("8 streams", "bulk", 8, ("--mode", "stream"), is_quick=False),
    Scenario("connect, echo, close", "connect", 16, ("--mode", "connect")),
)


class Server:
    """A server process on the first CPU, from its start to its end."""

    def __init__(self, command):
        self.port = free_port()
        words = [word.format(port=self.port) for word in command]
        self.process = subprocess.Popen(
            pinned(0) + words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"does not listen: {self.process.args}")

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def pinned(index):
    """Runs what follows on one of the CPUs that we may use, if there is more than one."""
    cpus = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cpus[index])] if len(cpus) > 1 else []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def servers(build, wanted):
    """Name to command: echod, then those of the peers that are there."""
    found = {"echod": [f"{build}/daemon/echod", "--config", "/dev/null", "--log-file", "", "--port", "{port}"]}
    exclusions = {"echod": []}
    peers = json.loads(PEERS.read_text())["peers"] if PEERS.exists() else []
    for peer in peers:
        command = [word.replace("{build}", str(build)).replace("{source}", str(SOURCE)) for word in peer["command"]]
        name = peer["name"]
        is_built = pathlib.Path(command[0]).exists()
        if is_built and peer["kind"] == "library" and (not wanted or name in wanted):
            found[name] = command
            exclusions[name] = peer["excluded"]
    return found, exclusions


def is_excluded(scenario, exclusions):
    return any(
        exclusion["scenario"] == scenario.kind and scenario.connections > exclusion.get("connections_above", 0)
        for exclusion in exclusions
    )


def echoload(build, server, arguments, seconds, files=()):
    """One run of echoload on the second CPU; its JSON, or None if it failed."""
    result = subprocess.run(
        pinned(-1)
        + [f"{build}/client/echoload", "--json", "-", "--server-pid", str(server.process.pid)]
        + ["--warmup", "200ms", "--duration", f"{seconds}s", *arguments, *files, f"127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        print(f"\n{result.stderr or result.stdout[-500:]}", file=sys.stderr)
        return None
    return json.loads(result.stdout)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure(options, found, exclusions):
    """Scenario to server to one result for each round."""
    results = {}
    scenarios = [scenario for scenario in SCENARIOS if scenario.is_quick or not options.quick]
    for number in range(options.rounds):
        for scenario in scenarios:
            names = list(found)
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                if is_excluded(scenario, exclusions[name]):
                    continue
                progress(f"round {number + 1} of {options.rounds}: {scenario.name}: {name}")
                with Server(found[name]) as server:
                    arguments = ("--connections", str(scenario.connections), *scenario.arguments)
                    result = echoload(options.build, server, arguments, options.seconds)
                results.setdefault(scenario.name, {}).setdefault(name, []).append(result)
    progress("")
    return results


def figures(result):
    """What the tables show of a result, or None if it is missing or counted no echo."""
    if not result or not result["echoes"]:
        return None
    latency = result["latency_us"] or {}
    return {
        "rate": result["echoes_per_s"],
        "server_us": result["server"]["cpu_us_per_echo"],
        "client_us": result["client"]["cpu_s"] * 1e6 / result["echoes"],
        "p50": latency.get("p50"),
        "p99": latency.get("p99"),
    }


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def number(value, decimals=1):
    return "-" if value is None else f"{value:,.{decimals}f}".replace(",", " ")


def ratio_text(pairs):
    """The median of ratios that belong together, and their spread."""
    ratios = [mine / other for mine, other in pairs if mine and other]
    if not ratios:
        return "-"
    text = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return text + (", a tie" if min(ratios) <= 1 <= max(ratios) else "")


def scenario_table(name, by_server):
    rounds = {server: [figures(result) for result in results] for server, results in by_server.items()}
    lines = [
        f"### {name}",
        "",
        "| server | echoes/s | server CPU per echo | relative to echod | client CPU per echo | p50 | p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    for server, all_figures in rounds.items():
        values = {key: median(f and f[key] for f in all_figures) for key in ("rate", "server_us", "client_us", "p50", "p99")}
        pairs = [(f and f["server_us"], e and e["server_us"]) for f, e in zip(all_figures, rounds["echod"])]
        lines.append(
            f"| {server} | {number(values['rate'], 0)} | {number(values['server_us'], 2)} us "
            f"| {'1' if server == 'echod' else ratio_text(pairs)} | {number(values['client_us'], 2)} us "
            f"| {number(values['p50'])} us | {number(values['p99'])} us |"
        )
    return "\n".join(lines) + "\n"


def client_table(results):
    lines = ["| scenario | echoload's CPU per echo, relative to echod's |", "|---|---|"]
    for name, by_server in results.items():
        pairs = [(f["client_us"], f["server_us"]) for f in map(figures, by_server["echod"]) if f]
        lines.append(f"| {name} | {ratio_text(pairs)} |")
    return "\n".join(lines) + "\n"


def curves(options, found):
    """Latency by percentile of echod in an open loop, at shares of what it does in a closed one."""
    tables = {}
    with Server(found["echod"]) as server:
        closed = echoload(options.build, server, (), options.seconds)
    for share in (0.1, 0.25, 0.5, 0.75):
        rate = round(closed["echoes_per_s"] * share)
        progress(f"curve: {rate} per second")
        path = options.output / f"latency-{int(share * 100)}.hgrm"
        with Server(found["echod"]) as server:
            echoload(options.build, server, ("--rate", str(rate)), options.seconds, ("--histogram", str(path)))
        tables[f"{number(rate, 0)} per second"] = path
    progress("")
    plot(tables, options.output / "latency.svg")


def plot(tables, svg):
    """Percentile tables as curves; the last column of a table is 1 / (1 - percentile)."""
    parts = ", ".join(
        f"'{path}' using 4:1 every ::1 with lines linewidth 2 title '{title}'" for title, path in tables.items()
    )
    script = f"""
set terminal svg size 900,500 font 'sans,13' background 'white'
set output '{svg}'
set title 'echod, 64 connections, 64 bytes, open loop: latency by percentile'
set logscale xy
set xlabel 'percentile'
set ylabel 'milliseconds'
set xtics ('0 %%' 1, '50 %%' 2, '90 %%' 10, '99 %%' 100, '99.9 %%' 1000, '99.99 %%' 10000, '99.999 %%' 100000)
set grid
set key left top
set datafile commentschars '#'
plot {parts}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def report(options, results):
    first = next(result for result in next(iter(results.values()))["echod"] if result)
    environment = first["environment"]
    text = [
        "# Benchmark",
        "",
        f"{first['time']}, {environment['kernel']}, {environment['cpus']} CPUs, echod and echoload {first['echoload']}; "
        f"{options.rounds} interleaved rounds of {options.seconds} s; medians; ratios of the same round, with their spread. "
        "The server has one CPU, the client another. Only ratios are worth comparing with other machines.",
        "",
        "![latency by percentile](latency.svg)",
        "",
        "## What the client costs",
        "",
        client_table(results),
        "## Servers",
        "",
        *(scenario_table(name, by_server) for name, by_server in results.items()),
    ]
    (options.output / "report.md").write_text("\n".join(text))


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("build/bench-report"))
    parser.add_argument("--quick", action="store_true", help="fewer scenarios and rounds: under 5 minutes")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (5; quick: 3)")
    parser.add_argument("--seconds", type=float, help="how long each run measures (3; quick: 1)")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME", help="only these peers")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.output.mkdir(parents=True, exist_ok=True)
    found, exclusions = servers(options.build, options.peers)
    results = measure(options, found, exclusions)
    (options.output / "results.json").write_text(json.dumps(results, indent=1))
    curves(options, found)
    report(options, results)
    print(options.output / "report.md")


if __name__ == "__main__":
    main()
