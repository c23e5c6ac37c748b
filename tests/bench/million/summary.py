"""Writes the report as a table on the terminal and as Markdown, and the figures as JSON."""

import json

from formatting import gib, mib, number, whole
from servers import SOURCE

PUBLISHED = SOURCE / "docs/performance"


def rows(report):
    connections, echoes, echod = report["connections"], report["echoes"], report["echod"]
    idle, kernel = report["idle"], report["kernel_both_ends"]
    latency = echoes["latency_us"]
    yield "connections", f"{whole(connections['connected'])} of {whole(report['parameters']['connections'])}"
    seconds = connections["connecting_s"]
    yield "time to connect all", f"{number(seconds, 1)} s, {whole(connections['per_s'])} per second"
    echoed = f"{whole(echoes['messages'])} echoes, {whole(echoes['errors'])} errors"
    yield "each echoed once, every byte compared", echoed
    yield "latency of these echoes", f"p50 {latency['p50'] / 1e3:.2f} ms, p99 {latency['p99'] / 1e3:.2f} ms"
    own = echod["anonymous_bytes"]
    yield "**echod: bytes per connection**", f"**{number(echod['anonymous_per_connection'], 1)}** (anonymous memory)"
    yield "echod: total memory", f"{mib(own['before'])} without connections, {mib(own['echoed'])} with all"
    if kernel["bytes_per_connection"] is not None:
        both = kernel["bytes_per_connection"]
        yield "**kernel: bytes per connection, at each end**", f"**{whole(both / 2)}** ({whole(both)} for both)"
    slab = kernel["slab_per_connection"]
    yield "of that, slab", f"{whole(slab / 2)} ({whole(slab)} for both)"
    yield "of that, data of sockets", f"{whole(kernel['socket_buffers_per_connection'] / 2)}"
    yield "echod: CPU while all are idle", (
        f"{number(idle['cpu_share'] and idle['cpu_share'] * 100, 3)} % of one CPU over {whole(idle['seconds'])} s; "
        f"{whole(idle['segments'])} segments arrived"
    )


def markdown(report):
    environment = report["environment"]
    if environment["virtual_machine"]:
        place = (
            f"In a virtual machine ({environment['accelerator']}, Linux {environment['kernel']}, "
            f"{environment['cpus']} CPUs, {gib(environment['memory_bytes'])})"
        )
        listener = ", and the server's socket is larger, because it comes from a listener on `::`"
    else:
        place = f"On Linux {environment['kernel']}, {environment['cpus']} CPUs, without a virtual machine"
        listener = ""
    text = [
        f"# {whole(report['parameters']['connections'])} connections to one echod",
        "",
        f"{report['time']}, echod {report['version']}. {place}. Repeat it with `{report['command']}`.",
        "",
        "| figure | measured |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows(report)),
        "",
        "How it is measured: echoload opens the connections. Then it sends one message of 64 bytes on each, at a "
        "constant rate, and compares every byte that comes back. Then nothing is sent during the idle measurement. At "
        "the end each connection is half-closed and read to its end. Memory is the growth from before the first "
        "connection to after the echoes, so it includes buffers that an echo might leave behind.",
        "",
        "Client and server share the kernel, so its memory is that of two sockets for each connection. Half of it is "
        "right for one end to within a few percent: both ends have a socket, an inode, a file and an epoll "
        f"registration, but only the client has an entry in the table of local ports{listener}.",
        "",
    ]
    if environment["accelerator"] == "tcg":
        text += [
            "Every instruction was emulated: bytes are as on a real machine, but times are many times longer.",
            "",
        ]
    if not environment["virtual_machine"]:
        text += [
            "Slab and socket data are those of the whole machine, so they include all other programs. Total kernel "
            "memory would mean nothing here and is not shown. The table of slabs needs root.",
            "",
        ]
    if report["kernel_both_ends"]["slabs"]:
        text += ["| slab cache | bytes per connection, both ends |", "|---|---|"]
        slabs = report["kernel_both_ends"]["slabs"].items()
        text += [f"| {name} | {whole(size)} |" for name, size in slabs if size >= 20]
        text += [""]
    return "\n".join(text)


def publish(options, report):
    directory = PUBLISHED if options.publish else options.output
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "million.json").write_text(json.dumps(report, indent=1) + "\n")
    (directory / "million.md").write_text(markdown(report))
    width = max(len(name) for name, _ in rows(report))
    print()
    for name, value in rows(report):
        print(f"{name.replace('**', ''):{width}}  {value.replace('**', '')}")
    print(f"\n{directory / 'million.md'}")
