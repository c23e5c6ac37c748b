"""Computes the costs of connections from the samples.

The client runs on the same kernel as the server, so the kernel's memory is that of both ends.
"""

import json
import resource

from formatting import whole


class Sample:
    def __init__(self, run, name):
        self.sources = run.samples.get(name, {})

    def value(self, source, name):
        """Returns the number on a line "name: 123 kB" or "name 123"; None if there is no such line."""
        for line in self.sources.get(source, ()):
            words = line.replace(":", " ").split()
            if words and words[0] == name:
                return int(words[1])
        return None

    def bytes_of(self, source, *names):
        """Returns the sum of values in kB, in bytes."""
        values = [self.value(source, name) for name in names]
        return None if None in values else sum(values) << 10

    @property
    def uptime(self):
        return float(self.sources["uptime"][0].split()[0])

    def cpu_s(self, process):
        """Returns the CPU time of all threads of a process."""
        lines = self.sources.get(f"{process}/schedstat")
        return sum(int(line.split()[0]) for line in lines) / 1e9 if lines else None

    def kernel_bytes(self):
        """Returns the memory that is not free, not of a process, and not a cache of files."""
        used = self.bytes_of("meminfo", "MemTotal") - self.bytes_of("meminfo", "MemFree", "Buffers", "Cached")
        return used - self.bytes_of("meminfo", "AnonPages")

    def slab_bytes(self):
        return self.bytes_of("meminfo", "Slab")

    def slabs(self):
        """Returns the bytes in all slabs, by cache. Empty if we may not read them, which needs root."""
        caches = {}
        for line in self.sources.get("slabinfo", ())[2:]:
            words = line.split()
            # name active_objs num_objs objsize objperslab pagesperslab : ... : slabdata active num shared
            caches[words[0]] = int(words[14]) * int(words[5]) * resource.getpagesize()
        return caches

    def tcp(self, name):
        """Returns a counter of TCP from /proc/net/snmp."""
        lines = [line.split()[1:] for line in self.sources.get("net/snmp", ()) if line.startswith("Tcp:")]
        return int(lines[1][lines[0].index(name)]) if len(lines) == 2 else None

    def socket_buffer_bytes(self):
        """Returns the memory that TCP uses for data."""
        for line in self.sources.get("net/sockstat", ()):
            words = line.split()
            if words[0] == "TCP:":
                return int(words[words.index("mem") + 1]) * resource.getpagesize()
        return None


def per(value, connections):
    return None if value is None else value / connections


def difference(after, before):
    return None if after is None or before is None else after - before


def echod_memory(start, connected, echoed, closed, count):
    """Returns echod's memory. Anonymous memory is that without code and libraries."""
    source = "echod/smaps_rollup"
    moments = {"before": start, "connected": connected, "echoed": echoed, "closed": closed}

    def grown(name):
        return per(difference(echoed.bytes_of(source, name), start.bytes_of(source, name)), count)

    return {
        "anonymous_bytes": {name: sample.bytes_of(source, "Anonymous") for name, sample in moments.items()},
        "resident_bytes": {name: sample.bytes_of(source, "Rss") for name, sample in moments.items()},
        "anonymous_per_connection": grown("Anonymous"),
        "resident_per_connection": grown("Rss"),
    }


def kernel_memory(run, start, echoed, count):
    """Returns the kernel's memory for both ends of the connections together."""

    def grown(read):
        return per(difference(read(echoed), read(start)), count)

    before = start.slabs()
    slabs = {name: (size - before.get(name, 0)) / count for name, size in echoed.slabs().items()}
    return {
        # Only meaningful on a machine that does nothing else.
        "bytes_per_connection": grown(Sample.kernel_bytes) if run.accelerator else None,
        "slab_per_connection": grown(Sample.slab_bytes),
        "socket_buffers_per_connection": grown(Sample.socket_buffer_bytes),
        "page_tables_per_connection": grown(lambda sample: sample.bytes_of("meminfo", "PageTables")),
        "slabs": dict(sorted(((n, b) for n, b in slabs.items() if b >= 4), key=lambda pair: -pair[1])),
    }


def idle_cost(begin, end):
    seconds = end.uptime - begin.uptime
    cpu = difference(end.cpu_s("echod"), begin.cpu_s("echod"))
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "cpu_share": per(cpu, seconds),
        "segments": difference(end.tcp("InSegs"), begin.tcp("InSegs")),
    }


def figures(run):
    """Returns all figures of the report."""
    result = json.loads(run.result)
    start, connected, begin, end, closed = (
        Sample(run, name) for name in ("start", "connected", "idle-begin", "idle-end", "closed")
    )
    count = max(1, result["connected"])
    return {
        "kind": "million",
        "time": result["time"],
        "version": result["echoload"],
        "environment": {
            "virtual_machine": bool(run.accelerator),
            "accelerator": run.accelerator or None,
            "kernel": run.kernel,
            "cpus": result["environment"]["cpus"],
            "memory_bytes": start.bytes_of("meminfo", "MemTotal"),
        },
        "parameters": {
            "connections": result["parameters"]["connections"],
            "rate_per_s": result["parameters"]["rate_per_s"],
        },
        "connections": {
            "connected": result["connected"],
            "connecting_s": result["connecting_s"],
            "per_s": result["connected"] / result["connecting_s"],
        },
        "echoes": {
            "messages": result["echoes"],
            "bytes_received": result["bytes_received"],
            "errors": result["errors"]["total"],
            "mismatches": result["errors"]["mismatches"],
            "latency_us": result["latency_us"],
            "passed": result["passed"],
        },
        "echod": {**echod_memory(start, connected, end, closed, count), "exit_code": run.codes[1]},
        "idle": idle_cost(begin, end),
        "kernel_both_ends": kernel_memory(run, start, end, count),
        "problems": run.problems,
    }


def complaints(report):
    """Yields the reasons why the run is not valid."""
    echoes, connections = report["echoes"], report["connections"]
    wanted = report["parameters"]["connections"]
    if connections["connected"] != wanted:
        yield f"{whole(connections['connected'])} connections of {whole(wanted)}"
    if echoes["messages"] != wanted or not echoes["passed"] or echoes["errors"]:
        yield f"{whole(echoes['messages'])} echoes of {whole(wanted)}, {whole(echoes['errors'])} errors"
    segments = report["idle"]["segments"]
    if report["environment"]["virtual_machine"] and segments > wanted / 1000:
        yield f"{whole(segments)} segments arrived while all connections had to be idle: use a lower --rate"
    if report["echod"]["exit_code"] != 0:
        yield f"echod ended with {report['echod']['exit_code']}"
