"""The scenarios that are measured."""

import dataclasses
import fnmatch
import itertools

# The peers that can listen at another address than 127.0.0.1.
SEGMENTS_PEERS = ("echod", "epoll", "libuv", "asio", "io_uring")
ACTIVE = 100
IDLE = (0, 1000, 5000, 15000)
FLOODS = 8
CONNECT = ("--mode", "connect")
# A lost datagram is a figure, not a failure; its client sends the next one after the timeout.
MAY_LOSE = ("--timeout", "500ms", "--slo", "loss=100%")
SAFE_RATE = 10_000  # Datagrams per second.
SIZES = {"64 bytes": 64, "1 KiB": 1024, "16 KiB": 16384}

QUICK_ECHO = ((64, "64 bytes", 1), (64, "64 bytes", 16), (64, "16 KiB", 1))

# An upper bound of the descriptors that a server or a client has besides those of its connections. echod keeps two for
# each of its pipes.
SPARE_DESCRIPTORS = 300

LEFT_OUT = (
    "10000 connections, 16 KiB, depth 16: 2.6 GB would be under way, more than the kernel allows all of TCP by "
    "default (net.ipv4.tcp_mem) on a machine of 16 GB: its memory pressure would be measured.",
)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    family: str  # The group in the report; deep: 16 messages outstanding.
    kind: str  # The name in the exclusions of peers.json.
    connections: int
    client: str = "echoload"  # Or "ping", "floods".
    arguments: tuple = ()
    outstanding_bytes: int = 64  # On each connection.
    unit: str = "echo"  # The unit of CPU time: per echo or per MiB.
    is_core: bool = True  # Whether peers with `core_only` take part.
    is_quick: bool = False
    is_pinned: bool = True
    only: tuple = ()  # The servers that take part, if not all.
    protocol: str = "tcp"  # Or "udp", where `connections` is the number of clients; or "unix".
    network: str = "loopback"  # Or "veth", "segments" (networks.py).

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
        is_quick=(count, size, depth) in QUICK_ECHO,
    )


def echo_scenarios():
    """Connections x sizes x depths, without LEFT_OUT."""
    crossed = [(count, size, depth) for depth in (1, 16) for size in SIZES for count in (1, 64, 1000, 10000)]
    return [echo_scenario(*one) for one in crossed if one != (10000, "16 KiB", 16)]


def idle_scenario(idle, **others):
    return Scenario(
        name=f"{ACTIVE} active among {idle} idle",
        family="idle",
        kind="idle",
        connections=ACTIVE + idle,
        arguments=("--active", str(ACTIVE)),
        **others,
    )


def bulk_scenarios():
    common = {"family": "bulk", "kind": "bulk", "connections": 8, "is_quick": True}
    messages = {"arguments": ("--size", "256k"), "outstanding_bytes": 2**18}
    streams = {"arguments": ("--mode", "stream"), "outstanding_bytes": 2**20, "unit": "MiB"}
    return [Scenario("8 connections, 256 KiB", **messages, **common), Scenario("8 streams", **streams, **common)]


def segments_scenarios():
    """Bulk where each segment has 1448 bytes, so that it fills few bytes of the pages that a splice pins."""
    deep = echo_scenario(64, "16 KiB", 16)
    common = {"family": "segments", "network": "segments", "only": SEGMENTS_PEERS, "is_quick": False}
    return [
        dataclasses.replace(scenario, name=f"segments on veth: {scenario.name}", **common)
        for scenario in (*bulk_scenarios(), deep)
    ]


def ping_scenarios():
    common = {"family": "ping", "kind": "echo", "connections": 1, "client": "ping"}
    return [
        Scenario("ping, blocking client", arguments=("--blocking",), **common),
        Scenario("ping, spinning client", arguments=("--spinning",), is_quick=True, **common),
    ]


def worker_scenarios():
    """One worker against two. They share the CPUs with the client, which has two threads: one would be the limit."""
    common = {"family": "workers", "is_pinned": False}
    threads = ("--threads", "2")
    echo = {"kind": "echo", "connections": 64, "arguments": threads, "is_quick": True}
    connect = {"kind": "connect", "connections": 16, "arguments": (*CONNECT, *threads)}
    return [
        Scenario("workers: 64 connections, 64 bytes", **echo, **common),
        Scenario("workers: connect, echo, close", **connect, **common),
    ]


def datagram_scenarios(network):
    """Single datagrams, trains that the client sends by UDP_SEGMENT, and a rate that no server should find too high."""
    is_loopback = network == "loopback"
    common = {"protocol": "udp", "network": network}
    prefix = "udp" if is_loopback else f"udp on {network}"
    found = []
    for count, size in itertools.product((1, 64, 1000), (64, 1200)):
        found.append(
            Scenario(
                name=f"{prefix}: {count} client{'' if count == 1 else 's'}, {size} bytes",
                family="datagrams",
                kind="datagrams",
                connections=count,
                arguments=(*MAY_LOSE, "--size", str(size)),
                is_core=is_loopback and count < 1000 and size == 64,
                is_quick=is_loopback and (count, size) == (64, 64),
                **common,
            )
        )
    trains = (*MAY_LOSE, "--size", "1200", "--burst", "32")
    rate = (*MAY_LOSE, "--rate", str(SAFE_RATE))
    name = f"{prefix}: 16 clients, trains of 32 x 1200 bytes"
    where = {"is_core": is_loopback, "is_quick": is_loopback}
    found.append(Scenario(name, "trains", "trains", 16, arguments=trains, **where, **common))
    name = f"{prefix}: {SAFE_RATE} a second"
    found.append(Scenario(name, "rate", "datagrams", 64, arguments=rate, is_core=False, **common))
    return found


def unix_scenarios():
    """Like those of TCP, on a UNIX stream socket."""
    common = {"family": "unix", "protocol": "unix"}
    found = []
    for count, size in itertools.product((1, 64, 1000), ("64 bytes", "16 KiB")):
        scenario = echo_scenario(count, size, 1)
        found.append(dataclasses.replace(scenario, name=f"unix: {scenario.name}", **common))
    for scenario in bulk_scenarios():
        found.append(dataclasses.replace(scenario, name=f"unix: {scenario.name}", is_quick=False, **common))
    connect = {"kind": "connect", "connections": 16, "arguments": CONNECT}
    return [*found, Scenario("unix: connect, echo, close", **connect, **common)]


def matrix():
    floods = {"connections": FLOODS + 1, "client": "floods", "unit": "MiB", "is_quick": True}
    return [
        *echo_scenarios(),
        *bulk_scenarios(),
        *segments_scenarios(),
        Scenario("connect, echo, close", "connect", "connect", 16, arguments=CONNECT, is_quick=True),
        *(idle_scenario(idle, is_quick=idle in (0, 15000)) for idle in IDLE),
        # The most for servers whose descriptors must be below 1024.
        idle_scenario(900, only=("echod", "select")),
        Scenario("a ping beside 8 floods", "floods", "floods", **floods),
        *ping_scenarios(),
        *worker_scenarios(),
        *datagram_scenarios("loopback"),
        *datagram_scenarios("veth"),
        *unix_scenarios(),
    ]


def needed_descriptors(scenario):
    return scenario.connections + SPARE_DESCRIPTORS
