"""Writes the report: Markdown with tables and links to the plots."""

import statistics

import targets
from formatting import number, percent, significant, table
from results import ENOUGH_ROUNDS

NO_FLOOR_SHARE = 0.01

SECTIONS = (
    ("One message outstanding", ("echo",)),
    ("16 messages outstanding", ("deep",)),
    ("Bulk", ("bulk",)),
    ("Bulk in segments of 1448 bytes", ("segments",)),
    ("Connect, echo, close", ("connect",)),
    ("Among idle connections", ("idle",)),
    ("A ping beside floods", ("floods",)),
    ("A lone ping", ("ping",)),
    ("Workers", ("workers",)),
    ("Datagrams", ("datagrams",)),
    ("Trains of datagrams", ("trains",)),
    ("Datagrams at a fixed rate", ("rate",)),
    ("UNIX sockets", ("unix",)),
)


def relative(results, scenario, server, figure="cpu_us"):
    """Returns a figure relative to echod in the same rounds. Without echod, relative to the first server."""
    reference = results.servers_in(scenario)[0]
    if server == reference:
        return "1"
    ratio = results.ratio(figure, (scenario, server), (scenario, reference))
    return f"{ratio}{', a tie' if ratio.is_tie else ''}" if ratio else "-"


def report(results, plots):
    """Returns the whole text. `plots`: the files of the plots that were drawn, by name."""
    parts = [
        "# Benchmark",
        introduction(results),
        "## Targets",
        targets_text(results),
        "## Servers",
        servers_text(results),
        "## Server CPU, relative to echod",
        overview(results),
    ]
    for title, families in SECTIONS:
        found = results.scenarios_of(*families)
        if found:
            parts.append(f"## {title}")
            parts += [f"![{name}]({file})\n" for name, file in plots.items() if name in families]
            parts += [scenario_text(results, scenario) for scenario in found]
    parts += curves_text(plots)
    parts += ["## System calls for an echo", system_calls_text(results)]
    parts += ["## Memory of a connection", memory_text(results)]
    parts += ["## CPU time of the client", client_text(results)]
    parts += ["## What was not measured", missing_text(results)]
    return "\n".join(parts)


def introduction(results):
    about = results.about
    state = "" if about.get("complete") else " **Interrupted: the figures are incomplete.**"
    state += " `--quick`: only some of the scenarios and servers." if about["quick"] else ""
    pinned = "The server had one CPU, the client another, except where workers are compared."
    pinned = pinned if about["cpus"] > 1 else "Server and client shared one CPU."
    return (
        f"Written by `scripts/bench`; do not edit. {about['time']}, Linux {about['kernel']}, {about['cpus']} CPUs, "
        f"echod {about['echod']}: {rounds_text(results)}, interleaved, of {about['seconds']} s for each server in each "
        f"scenario (twice that with 10 000 active connections), after a warm-up.{state} {pinned}\n\n"
        "Peers that can choose their read size read up to 128 KiB at once, as echod does; Asio reads up to 256 KiB, "
        "its best size. Every byte that came back was compared with what was sent. Figures are medians over the "
        "rounds. A ratio is the median of the ratios of all rounds, with the lowest and the highest. If 1 is between "
        "these two, it is called a tie. Absolute times depend on the machine, so compare only ratios with those of "
        "another machine."
        f"{disturbance_text(results)}\n"
    )


def disturbance_text(results):
    """Says how much other programs disturbed the machine. That limits the value of the maximum latencies."""
    text = ""
    for figure, what in (("stolen", "The host of this virtual machine"), ("others", "Other processes")):
        shares = [run[figure] for run in results.runs if figure in run]
        if any(shares):
            mean = sum(shares) / len(shares)
            text += f" {what} took {mean:.1%} of a CPU during the runs, {max(shares):.1%} in the worst run."
    return text


def rounds_text(results):
    count = results.about.get("rounds", 0)
    return f"{count} round{'' if count == 1 else 's'}"


def targets_text(results):
    found = targets.verdicts(results)
    words = [item.verdict for item in found]
    others = sum(word not in ("met", "tie", "MISS") for word in words)
    summary = f"{words.count('met')} met, {words.count('tie')} tied, {words.count('MISS')} missed, {others} open. "
    rows = [[item.target, item.where, item.figure, item.verdict.replace("MISS", "**MISS**")] for item in found]
    heads = ["target", "scenario", "measured", "verdict"]
    rule = (
        "Met or missed: all rounds are on the same side of the bound. Tie: they are not. With fewer than "
        f"{ENOUGH_ROUNDS} rounds there is no verdict. If there are several peers, the verdict is the worst one, and "
        "the peer with that verdict and the worst ratio is shown. If echod fails in a run, the target is missed.\n\n"
    )
    return summary + rule + table(heads, rows)


def servers_text(results):
    rows = []
    for server in results.servers:
        rules = [f"{rule['scenario']}{limits_of(rule)}: {rule['why']}" for rule in server["excluded"]]
        if server["core_only"]:
            rules.append(f"takes part only in core scenarios: {server['core_only']}")
        fails = ", ".join(server["fails_checks"]) or "none"
        rows.append([server["name"], server["kind"], fails, "; ".join(rules) or "-"])
    unknown = results.about.get("unknown_keys")
    text = f"This echod has no {' and no '.join(unknown)}: variants with it are left out.\n" if unknown else ""
    return table(["server", "kind", "failed checks of `echoload check`", "does not take part in"], rows) + text


def limits_of(rule):
    if "connections_above" in rule:
        return f" above {rule['connections_above']} connections"
    if "outstanding_bytes_above" in rule:
        return f" above {rule['outstanding_bytes_above']} bytes outstanding"
    return ""


def overview(results):
    """Returns a table of the medians: scenarios down, servers across."""
    found = [item for item in results.scenarios_of("echo", "deep", "bulk", "connect", "idle") if not item["only"]]
    across = [server["name"] for server in results.servers if server["kind"] not in ("echod", "variant")]
    rows = []
    for scenario in found:
        name = scenario["name"]
        rows.append([name, *(overview_cell(results, name, server) for server in across)])
    means = [geometric_mean(results, [item["name"] for item in found], server) for server in across]
    rows.append(["**geometric mean** (number of scenarios)", *means])
    note = "Above 1: more CPU time than echod. `=` is a tie, `F` a failed run.\n\n"
    return note + table(["scenario", *across], rows)


def geometric_mean(results, scenarios, server):
    """Returns the geometric mean of the medians. Noise, which causes ties in single scenarios, cancels out in it."""
    ratios = [results.ratio("cpu_us", (scenario, server), (scenario, "echod")) for scenario in scenarios]
    medians = [ratio.median for ratio in ratios if ratio]
    return f"{statistics.geometric_mean(medians):.2f} ({len(medians)})" if medians else ""


def overview_cell(results, scenario, server):
    ratio = results.ratio("cpu_us", (scenario, server), (scenario, "echod"))
    failed = " F" if results.failures(scenario, server) else ""
    if not ratio:
        return failed.strip()
    return f"{ratio.median:.2f}{' =' if ratio.is_tie else ''}{failed}"


def scenario_text(results, scenario):
    name = scenario["name"]
    unit = scenario["unit"]
    if scenario["family"] in ("floods", "ping"):
        text = latency_table(results, name)
    else:
        by_bytes = unit == "MiB"
        heads = ["server", "MB/s" if by_bytes else "echoes/s", f"server CPU per {unit}", "relative to the first"]
        heads += ["user share"] if by_bytes else ["user share", "p50", "p99", "p99.9"]
        heads += ["lost"] if scenario.get("protocol") == "udp" else []
        text = table(heads, [throughput_row(results, name, server, by_bytes) for server in results.servers_in(name)])
    return f"### {name}\n\n{text}{failures_text(results, name)}"


def throughput_row(results, scenario, server, by_bytes):
    def value(figure):
        return results.median(scenario, server, figure)

    row = [
        server,
        number(value("mb_per_s" if by_bytes else "rate"), 0),
        f"{significant(value('cpu_us'))} us",
        relative(results, scenario, server),
        percent(value("user_share")),
    ]
    row += [] if by_bytes else [f"{number(value(figure))} us" for figure in ("p50", "p99", "p999")]
    lost = value("loss_percent")
    return row if lost is None else [*row, f"{lost:.3g} %"]


def latency_table(results, scenario):
    """Returns the table of a ping; beside floods, also with the throughput of the floods."""
    has_floods = results.median(scenario, "echod", "mb_per_s") is not None
    figure = "p99" if has_floods else "p50"
    heads = ["server", "p50", "p99", "p99.9", "max of all", f"{figure} relative to the first", "server CPU"]
    heads.append("user share")
    rows = []
    for server in results.servers_in(scenario):
        values = [f"{number(results.median(scenario, server, key))} us" for key in ("p50", "p99", "p999")]
        longest = max(results.by_round(scenario, server, "max").values(), default=None)
        cpu = f"{significant(results.median(scenario, server, 'cpu_us'))} us per {'MiB' if has_floods else 'echo'}"
        row = [server, *values, f"{number(longest)} us", relative(results, scenario, server, figure), cpu]
        row.append(percent(results.median(scenario, server, "user_share")))
        if has_floods:
            row.append(number(results.median(scenario, server, "mb_per_s"), 0))
            row.append(relative(results, scenario, server, "mb_per_s"))
            row.append(f"{number(results.median(scenario, server, 'lag_p99'))} us")
        rows.append(row)
    more = ["floods, MB/s", "relative to the first", "p99 of the client's send lag"] if has_floods else []
    return table([*heads, *more], rows)


def failures_text(results, scenario):
    lines = []
    for server in results.servers_in(scenario):
        failures = results.failures(scenario, server)
        if failures:
            lines.append(f"**{server} failed** in {len(failures)} of {rounds_text(results)}: {failures[0]}")
        share = results.median(scenario, server, "empty_share")
        if share and share > NO_FLOOR_SHARE:
            lines.append(f"{percent(share)} of the calls of {server} found nothing, so it is not a lower bound here.")
    return "".join(f"\n{line}\n" for line in lines)


def curves_text(plots):
    found = [f"![{name}]({file})\n" for name, file in plots.items() if name.startswith("latency")]
    return ["## Latency by percentile", "Open loop, 64 connections, 64 bytes; one run each.\n", *found] if found else []


def system_calls_text(results):
    if not results.system_calls:
        return "Not counted.\n"
    rows = []
    for item in results.system_calls:
        calls = item.get("calls")
        if calls is None:
            rows.append([item["scenario"], item["server"], "-", item["failure"]])
            continue
        most = sorted(calls.items(), key=lambda pair: -pair[1])
        which = ", ".join(f"{name} {calls_text(count)}" for name, count in most)
        rows.append([item["scenario"], item["server"], calls_text(sum(calls.values())), which])
    note = "Counted by strace. It slows the server down, which then finds more ready connections at a time.\n\n"
    return note + table(["scenario", "server", "all", "which"], rows)


def calls_text(count):
    return f"{count:.2f}" if count >= 0.1 else f"{count:.3f}"


def memory_text(results):
    """Returns the table of memory, for each server in its scenarios with the most connections."""
    rows = []
    for server in results.servers:
        sizes = {}
        for item in results.scenarios_of("echo", "idle"):
            size = results.median(item["name"], server["name"], "bytes_per_connection")
            if size is not None and server["kind"] != "floor":
                sizes.setdefault(item["connections"], []).append([server["name"], item["name"], number(size / 1024, 2)])
        for connections, found in sizes.items():
            if connections in (max(sizes), 10000):
                rows += found
    note = (
        "Growth of the server's resident memory during a run, per connection, in KiB. For a server that forks, the sum "
        "over all its processes, with each shared page counted once (PSS). Memory of the kernel is not included.\n\n"
    )
    return note + table(["server", "scenario", "KiB"], rows)


def client_text(results):
    rows = []
    for scenario in results.scenarios_of("echo", "deep", "bulk", "connect", "idle"):
        name = scenario["name"]
        client = results.median(name, "echod", "client_us")
        server = results.median(name, "echod", "cpu_us")
        share = results.median(name, "echod", "client_share")
        if client and server:
            rows.append([name, f"{significant(client)} us", f"{client / server:.2f}", percent(share)])
    note = "Measured with echod. At 100 % the client limits the rate; the server's CPU per echo is still valid.\n\n"
    return note + table(["scenario", "echoload's CPU", "relative to echod's", "busiest thread"], rows)


def missing_text(results):
    lines = [f"- {item['scenario']}: {item['why']}" for item in results.skipped]
    lines += [f"- {item['server']}: {item['why']}" for item in results.about.get("missing", [])]
    lines += [f"- {text}" for text in results.about.get("left_out", [])]
    return "\n".join(lines) + "\n" if lines else "Nothing.\n"
