"""What is measured: the scenarios of the matrix."""

import dataclasses
import fnmatch

ACTIVE = 100
IDLE = (0, 1000, 5000, 15000)
FLOODS = 8
SIZES = {"64 bytes": 64, "1 KiB": 1024, "16 KiB": 16384}

# The descriptors that a server or a client has besides those of its connections, generously.
SPARE_DESCRIPTORS = 100

LEFT_OUT = (
    "10000 connections, 16 KiB, depth 16: 2.5 GB would be under way, more than the kernel gives all of TCP by default "
    "(net.ipv4.tcp_mem) on a machine of 16 GB; what was measured would be its memory pressure.",
)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    # How the report groups them: echo, deep (16 messages outstanding), bulk, connect, idle, floods, ping, workers.
    family: str
    kind: str  # As peers.json names them in its exclusions.
    connections: int
    client: str = "echoload"  # Or "ping", "floods".
    arguments: tuple = ()
    outstanding_bytes: int = 64  # On each connection.
    unit: str = "echo"  # What the CPU time is for: an echo or a MiB.
    is_core: bool = True  # Whether those peers take part that are in core scenarios only.
    is_quick: bool = False
    is_pinned: bool = True
    only: tuple = ()  # The servers that take part, if not all.

    def matches(self, patterns):
        name = self.name.lower()
        return not patterns or any(fnmatch.fnmatch(name, f"*{pattern.lower()}*") for pattern in patterns)


def connections_text(count):
    return f"{count} connection{'' if count == 1 else 's'}"


def echo_scenario(count, size, depth):
    is_smallest = size == "64 bytes"
    return Scenario(
        name=f"{connections_text(count)}, {size}" + (f", depth {depth}" if depth > 1 else ""),
        family="deep" if depth > 1 else "echo",
        kind="echo",
        connections=count,
        arguments=("--size", str(SIZES[size]), "--depth", str(depth)),
        outstanding_bytes=SIZES[size] * depth,
        is_core=(is_smallest and depth == 1) or (count == 64 and (is_smallest or depth == 1)),
        is_quick=(count == 64 and size != "1 KiB" and (is_smallest or depth == 1)) or (count == 1000 and is_smallest and depth == 1),
    )


def echo_scenarios():
    crossed = [
        echo_scenario(count, size, depth) for depth in (1, 16) for size in SIZES for count in (1, 64, 1000, 10000)
    ]
    return [scenario for scenario in crossed if not (scenario.connections == 10000 and scenario.outstanding_bytes > 2**17)]


def idle_scenario(idle, **others):
    return Scenario(
        name=f"{ACTIVE} active among {idle} idle",
        family="idle",
        kind="idle",
        connections=ACTIVE + idle,
        arguments=("--active", str(ACTIVE)),
        **others,
    )


def matrix():
    return [
        *echo_scenarios(),
        Scenario("8 connections, 256 KiB", "bulk", "bulk", 8, arguments=("--size", "256k"), outstanding_bytes=2**18, is_quick=True),
        Scenario("8 streams", "bulk", "bulk", 8, arguments=("--mode", "stream"), outstanding_bytes=2**20, unit="MiB", is_quick=True),
        Scenario("connect, echo, close", "connect", "connect", 16, arguments=("--mode", "connect"), is_quick=True),
        *(idle_scenario(idle, is_quick=idle in (0, 15000)) for idle in IDLE),
        # As many as those whose descriptors must be below 1024 can hold.
        idle_scenario(900, only=("echod", "select", "python-select")),
        Scenario("a ping beside 8 floods", "floods", "floods", FLOODS + 1, client="floods", unit="MiB", is_quick=True),
        Scenario("ping, blocking client", "ping", "echo", 1, client="ping", arguments=("--blocking",), is_quick=True),
        Scenario("ping, spinning client", "ping", "echo", 1, client="ping", arguments=("--spinning",), is_quick=True),
        Scenario("workers: 64 connections, 64 bytes", "workers", "echo", 64, is_pinned=False, is_quick=True),
        Scenario("workers: connect, echo, close", "workers", "connect", 16, arguments=("--mode", "connect"), is_pinned=False, is_quick=True),
    ]


def needed_descriptors(scenario):
    return scenario.connections + SPARE_DESCRIPTORS
