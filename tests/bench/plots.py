"""Draws the plots as SVG, with gnuplot."""

import subprocess

from scenarios import ACTIVE

COLOURS = (
    "#1b6ca8 #e07b39 #4d9e5f #b03a5b #8067b7 #8c6d46 #d0a215 #4aa3a2 "
    "#6b7280 #c2528b #94a33c #7fb2e5 #f2b48c #9ed3aa #c9a6e0 #333333"
).split()
MOST_RELATIVE = 4  # Bars are cut off here: one very high bar would make the others too small.

PREAMBLE = """
set terminal svg size {width},{height} font 'sans,13' background 'white' linewidth 1.2
set output '{svg}'
set title "{title}"
set encoding utf8
set border 3 linecolor '#666666'
set tics nomirror
set grid ytics linecolor '#dddddd' linetype 1
set key outside right top Left reverse
"""


def draw_all(results, folder):
    """Draws the plots that have figures. Returns the file of each plot, by the name of the plot."""
    scripts = {
        "echo": bars(results, "echo", "Server CPU per echo relative to echod, one message outstanding"),
        "deep": bars(results, "deep", "Server CPU per echo relative to echod, 16 messages outstanding"),
        "bulk": bars(results, "bulk", "Server CPU relative to echod, bulk"),
        "segments": bars(results, "segments", "Server CPU relative to echod, bulk in segments of 1448 bytes"),
        "idle": idle(results),
        "floods": floods(results),
        "ping": pings(results),
        "latency": curves(results, "latency", "At half of what echod does in a closed loop: latency by percentile"),
        "latency-echod": curves(results, "latency-echod", "echod: latency by percentile"),
    }
    drawn = {}
    for name, script in scripts.items():
        svg = folder / f"{name}.svg"
        if script and gnuplot(script.replace("@SVG@", str(svg))):
            drawn[name] = svg.name
    return drawn


def gnuplot(script):
    try:
        result = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    if result.returncode != 0:
        print(f"bench: a plot failed: {result.stderr.strip()[-300:]}")
    return result.returncode == 0


def preamble(title, width=960, height=480):
    return PREAMBLE.format(width=width, height=height, svg="@SVG@", title=title)


def data_block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def quoted(text):
    """Quotes a text for gnuplot, which otherwise takes _ for mark-up."""
    return '"' + text.replace('"', "'").replace("_", "\\\\_") + '"'


def bars(results, family, title):
    """Draws a cluster of bars for each scenario, with a bar for each server that takes part in all scenarios."""
    scenarios = [item["name"] for item in results.scenarios_of(family)]
    shown = [server["name"] for server in results.servers if not server["core_only"]]
    shown = [name for name in shown if any(name in results.servers_in(scenario) for scenario in scenarios)]
    if not scenarios or len(shown) < 2:
        return None
    lines = []
    for scenario in scenarios:
        cells = [quoted(scenario.removesuffix(", depth 16").replace(" connections", "").replace(" connection", ""))]
        for name in shown:
            ratio = results.ratio("cpu_us", (scenario, name), (scenario, "echod"))
            cells += [f"{value:.4f}" for value in (ratio.median, ratio.low, ratio.high)] if ratio else ["NaN"] * 3
        lines.append(" ".join(cells))
    plots = [
        f"$data using {column}:{column + 1}:{column + 2}:xticlabels(1) title {quoted(name)} "
        f"linecolor '{colour(results, name)}'"
        for column, name in zip(range(2, 2 + 3 * len(shown), 3), shown)
    ]
    return (
        preamble(
            f"{title} (cut off at {MOST_RELATIVE})",
            width=max(720, 240 + 13 * len(scenarios) * (len(shown) + 1)),
            height=420,
        )
        + data_block("data", lines)
        + "set style data histogram\nset style histogram errorbars gap 1.5 linewidth 0.8\nset style fill solid 0.9\n"
        + "set ylabel 'relative to echod'\nset xtics rotate by -20\n"
        + f"set yrange [0:*<{MOST_RELATIVE}]\nset bars 0.3\n"
        + plot([*plots, "1 with lines linecolor 'black' dashtype 2 notitle"])
    )


def plot(parts):
    return "plot " + ", ".join(parts) + "\n"


def colour(results, name):
    """Returns the colour of a server, which is the same in every plot."""
    ordered = sorted(results.servers, key=lambda server: server["kind"] == "variant")
    names = [server["name"] for server in ordered]
    return COLOURS[names.index(name) % len(COLOURS)]


def idle(results):
    """Draws the CPU time per echo against the number of idle connections."""
    scenarios = results.scenarios_of("idle")
    blocks, plots = [], []
    for index, server in enumerate(results.servers):
        points = [
            (item["connections"] - ACTIVE, results.median(item["name"], server["name"], "cpu_us")) for item in scenarios
        ]
        points = sorted((idle_count, value) for idle_count, value in points if value)
        if len(points) > 1:
            blocks.append(data_block(f"server{index}", [f"{idle_count} {value}" for idle_count, value in points]))
            style = f"linewidth 2 pointtype {index % 8 + 4} pointsize 0.6 linecolor '{colour(results, server['name'])}'"
            plots.append(f"$server{index} with linespoints {style} title {quoted(server['name'])}")
    if not plots:
        return None
    return (
        preamble("100 active connections among idle ones: server CPU per echo")
        + "".join(blocks)
        + "set logscale y\nset xlabel 'idle connections'\nset ylabel 'microseconds'\n"
        + plot(plots)
    )


def floods(results):
    """Draws the latency of the ping against the throughput of the floods: low is fair, right is fast."""
    blocks, plots = [], []
    for item in results.scenarios_of("floods"):
        for index, name in enumerate(results.servers_in(item["name"])):
            p99 = results.median(item["name"], name, "p99")
            throughput = results.median(item["name"], name, "mb_per_s")
            if p99 and throughput:
                blocks.append(data_block(f"server{index}", [f"{throughput} {p99 / 1000}"]))
                style = f"pointtype {index % 2 * 2 + 5} pointsize 1.2 linecolor '{colour(results, name)}'"
                plots.append(f"$server{index} with points {style} title {quoted(name)}")
    if not plots:
        return None
    return (
        preamble("A ping beside 8 floods: p99 of the ping against the throughput of the floods")
        + "".join(blocks)
        + "set logscale y\nset xrange [0:*]\nset xlabel 'MB/s'\nset ylabel 'milliseconds'\n"
        + "set offsets 0, graph 0.05, graph 0.1, graph 0.1\n"
        + plot(plots)
    )


def pings(results):
    """Draws p50 with each of the two ping clients."""
    scenarios = [item["name"] for item in results.scenarios_of("ping")]
    present = {name for scenario in scenarios for name in results.servers_in(scenario)}
    names = [server["name"] for server in results.servers if server["name"] in present]
    if not names:
        return None
    lines = []
    for name in names:
        values = [results.median(scenario, name, "p50") for scenario in scenarios]
        lines.append(" ".join([quoted(name), *("NaN" if value is None else str(value) for value in values)]))
    plots = [
        f"$data using {index + 2}:xticlabels(1) title {quoted(scenario.removeprefix('ping, '))} "
        f"linecolor '{COLOURS[index]}'"
        for index, scenario in enumerate(scenarios)
    ]
    return (
        preamble("One connection, 64 bytes: p50 of the round trip", width=1100)
        + data_block("data", lines)
        + "set style data histogram\nset style histogram clustered gap 1\nset style fill solid 0.9\n"
        + "set ylabel 'microseconds'\nset xtics rotate by -30\nset yrange [0:*]\n"
        + plot(plots)
    )


def curves(results, name, title):
    """Draws latency by percentile; x is 1 / (1 - percentile)."""
    blocks, plots = [], []
    for index, item in enumerate(item for item in results.curves if item["plot"] == name):
        blocks.append(data_block(f"curve{index}", [f"{x} {y}" for x, y in item["points"]]))
        own = colour(results, item["title"]) if results.server(item["title"]) else COLOURS[index]
        plots.append(f"$curve{index} with lines linewidth 2 linecolor '{own}' title {quoted(item['title'])}")
    if not plots:
        return None
    # gnuplot needs a doubled per cent sign.
    tics = ", ".join(f"'{share} %%' {round(100 / (100 - share))}" for share in (0, 50, 90, 99, 99.9, 99.99, 99.999))
    return (
        preamble(title)
        + "".join(blocks)
        + "set logscale xy\nset xlabel 'percentile'\nset ylabel 'milliseconds'\n"
        + f"set xtics ({tics})\n"
        + plot(plots)
    )
