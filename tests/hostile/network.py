"""Faults of the network (needs root): peers vanish, packets are lost, an interface goes down, a middlebox resets."""

import socket
import time
from collections.abc import Sequence

import clients
from checked_stream import Stream
from echod_process import wait_until
from scenario_run import MIB, ScenarioRun
from wire import BUFFER, DOOMED, HEALTHY, Wire

TOTAL_MIB = 4
CONFIG = f"""
workers = 2
[[listen]]
address = "0.0.0.0"
port = 0
[buffers]
total_mib = {TOTAL_MIB}
"""
SMALL_BUFFERS = "[socket]\nsend_buffer_kib = 16\n"  # So that echod must use its own buffers.
WIRE_MIB = 8  # How many MiB are echoed to measure the cost of one.
MESSAGE = 1000
LOST_PERCENT = 5
UNPLUGGED_S = 1.0
SMALL_MTU = 576


def start(run: ScenarioRun, wire: Wire, config: str = CONFIG) -> None:
    """Starts echod and measures the cost of a MiB on the wire, where it is higher than on loopback."""
    run.start(config, bulk=False)
    with wire.connect(run.port, HEALTHY) as one:
        run.costs.mib = run.cost_of(lambda: run.echo_bulk(one), WIRE_MIB)
    run.visitors += 1


def connect_many(run: ScenarioRun, wire: Wire, count: int, source: str) -> list[socket.socket]:
    """Returns non-blocking sockets; each has echoed a message."""
    made = [wire.connect(run.port, source) for _ in range(count)]
    run.visitors += count
    for one in made:
        clients.echo(one, run.rng.randbytes(MESSAGE))
        one.setblocking(False)
    return made


def fill(run: ScenarioRun, those: Sequence[socket.socket]) -> float:
    """Sends on all sockets without reading, until they use up echod's buffers. Returns the MiB sent.

    Each socket sends more than its own receive buffer takes, so echod owes bytes to each.
    """
    data = run.rng.randbytes(BUFFER)
    sent = [0] * len(those)

    def is_full() -> bool:
        for number, one in enumerate(those):
            sent[number] += clients.send_until_full(one, data)
        return run.moved("unbuffered_reads") > 0 and min(sent) >= 4 * BUFFER

    wait_until("echod's buffers to be used up", is_full)
    return sum(sent) / MIB


def have_bytes_under_way(wire: Wire, those: Sequence[socket.socket]) -> None:
    """Each socket sends a message. Packets with the echo are dropped; acknowledgements of the message still arrive."""
    wire.clients.filter("echoes", f"ip daddr {DOOMED} ip length > {MESSAGE} counter drop")
    for one in those:
        one.send(bytes(MESSAGE))
    clients.wait_until_arrived(those)


def vanish(wire: Wire) -> None:
    """From now on all packets from and to the doomed peers are dropped: FIN, RST and acknowledgements too."""
    wire.clients.filter("vanished", f"ip daddr {DOOMED} counter drop")
    wire.server.filter("vanished", f"ip saddr {DOOMED} counter drop")


def ended(run: ScenarioRun) -> dict[str, int]:
    """Returns how many connections were closed, by reason, without those closed by the peer's FIN."""
    return {name: count for name, count in run.closed().items() if count and name != "peer_closed"}


def see_ended(run: ScenarioRun, reasons: dict[str, int]) -> None:
    wait_until(f"connections to be closed: {reasons}", lambda: sum(ended(run).values()) >= sum(reasons.values()))
    run.check(ended(run) == reasons, f"the reasons of closed connections are {ended(run)}, not {reasons}")


def see_gone(run: ScenarioRun, wire: Wire, those: Sequence[socket.socket], reasons: dict[str, int]) -> None:
    """Checks that only the vanished peers were closed, for these reasons, and that their sockets did not notice."""
    see_ended(run, reasons)
    run.check(not any(clients.has_ended(one) for one in those), "a vanished peer got the end of its connection")
    for name in ("echoes", "vanished"):
        run.check(wire.clients.filtered(name) > 0, f"no packet matched the rule '{name}'")
    run.did(len(those), "peers vanished")
    run.did(wire.clients.filtered("vanished"), "packets to them were dropped")
    for one in those:
        clients.reset(one)


def half_open(run: ScenarioRun) -> None:
    """Peers vanish, some idle, some owed bytes: echod's own timeouts close and count each of them."""
    silent, under_way, full = 200, 150, 150
    config = f"{CONFIG}{SMALL_BUFFERS}keepalive = false\n"
    with Wire() as wire:
        start(run, wire, config)
        with run.attack(connections=silent + under_way + full, buffers_kib=TOTAL_MIB * 1024):
            those = connect_many(run, wire, silent + under_way, DOOMED)
            readers = connect_many(run, wire, full, DOOMED)
            sent = fill(run, readers)
            have_bytes_under_way(wire, those[:under_way])
            vanish(wire)
            run.hold()
            # Only now, so that no connection times out while others are being made.
            run.daemon.reload(f"{config}[timeouts]\nidle_s = 3\nstalled_write_s = 2\n")
            see_gone(run, wire, those + readers, {"idle_timeout": silent, "stalled_write": under_way + full})
        run.bound_cpu(visits=len(those + readers), mib=sent, seconds=5, events=run.moved("echoes"))
        run.finish(kept_kib=TOTAL_MIB * 1024)


def half_open_probed(run: ScenarioRun) -> None:
    """Peers vanish: keepalive finds the idle ones, TCP_USER_TIMEOUT those that are owed bytes."""
    silent, under_way = 250, 250
    with Wire() as wire:
        start(run, wire, f"{CONFIG}[socket]\nkeepalive_idle_s = 1\nkeepalive_interval_s = 1\nuser_timeout_s = 2\n")
        with run.attack(connections=silent + under_way):
            those = connect_many(run, wire, silent + under_way, DOOMED)
            have_bytes_under_way(wire, those[:under_way])
            vanish(wire)
            see_gone(run, wire, those, {"timed_out": len(those)})
        run.bound_cpu(visits=len(those), seconds=5, events=run.moved("echoes"))
        run.finish()


def streams_of(run: ScenarioRun, wire: Wire, count: int, size: int) -> list[Stream]:
    streams = [clients.open_stream(one, size, run.rng) for one in connect_many(run, wire, count, HEALTHY)]
    run.did(count, f"streams of {size / MIB:.1f} MiB, half-closed")
    return streams


def received(streams: Sequence[Stream]) -> int:
    return sum(stream.received for stream in streams)


def run_part(streams: Sequence[Stream]) -> None:
    """Runs the streams until a third of all bytes is back."""
    total = sum(stream.total for stream in streams)
    clients.run_streams(streams, lambda: 3 * received(streams) >= total)


def run_for(streams: Sequence[Stream], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    clients.run_streams(streams, lambda: time.monotonic() > deadline)


def finish_streams(run: ScenarioRun, wire: Wire, streams: Sequence[Stream], visits: int = 0,
                   mib: float = 0) -> None:
    """Ends a scenario. `visits`, `mib`: what other connections did."""
    run.did(wire.clients.resent() + wire.server.resent(), "segments sent again")
    mib += sum(stream.total for stream in streams) / MIB
    run.bound_cpu(visits=len(streams) + visits, mib=mib, events=run.moved("echoes"))
    run.finish(kept_kib=TOTAL_MIB * 1024)


def loss(run: ScenarioRun) -> None:
    """Packets are lost at random, in both directions: every byte comes back, in order, and then the FIN."""
    count = 30
    with Wire(rto_min_ms=10) as wire:
        start(run, wire)
        with run.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(run, wire, count, MIB // 3)
            for end in (wire.server, wire.clients):
                end.filter("loss", f"ip saddr 192.0.2.0/24 numgen random mod 100 < {LOST_PERCENT} counter drop")
            clients.run_streams(streams)
            see_ended(run, {})
            for end, direction in ((wire.server, "to"), (wire.clients, "from")):
                run.did(end.filtered("loss"), f"packets lost on the way {direction} echod")
                run.check(end.filtered("loss") > count, f"too few packets were lost on the way {direction} echod")
        finish_streams(run, wire, streams)


def small_mtu(run: ScenarioRun) -> None:
    """No packet has more than 576 bytes."""
    count = 20
    with Wire(SMALL_MTU) as wire:
        start(run, wire)
        with run.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(run, wire, count, MIB // 2)
            segment = streams[0].socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            run.check(segment < SMALL_MTU, f"segments have {segment} bytes")
            clients.run_streams(streams)
            see_ended(run, {})
        finish_streams(run, wire, streams)


def unplugged(run: ScenarioRun) -> None:
    """echod's interface goes down during transfers, and its routes with it. All transfers go on when it is up again."""
    count = 30
    with Wire(rto_min_ms=10) as wire:
        start(run, wire)
        with run.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(run, wire, count, MIB)
            run_part(streams)
            wire.unplug()
            run_for(streams, UNPLUGGED_S / 2)  # Reads what has arrived already.
            before = received(streams)
            run_for(streams, UNPLUGGED_S / 2)
            run.check(received(streams) == before < count * MIB, "bytes came while the wire was unplugged")
            wire.plug_in()
            clients.run_streams(streams)
            see_ended(run, {})
        finish_streams(run, wire, streams)


def torn(run: ScenarioRun) -> None:
    """A middlebox resets some connections, some idle, some owed bytes. The others are not affected."""
    idle, full, healthy = 100, 100, 20
    with Wire() as wire:
        start(run, wire, CONFIG + SMALL_BUFFERS)
        with run.attack(connections=idle + full + healthy, buffers_kib=TOTAL_MIB * 1024):
            those = connect_many(run, wire, idle, DOOMED)
            readers = connect_many(run, wire, full, DOOMED)
            filled = fill(run, readers)
            streams = streams_of(run, wire, healthy, MIB)
            run_part(streams)
            # A packet from echod is answered by an RST; the client does not get it.
            wire.clients.filter("torn", f"ip daddr {DOOMED} meta l4proto tcp counter reject with tcp reset", "input")
            for one in those:
                one.send(bytes(MESSAGE))
            clients.run_streams(streams)
            see_ended(run, {"reset": idle + full})
            run.did(idle + full, "connections reset by a filter")
        for one in those + readers:
            clients.reset(one)
        finish_streams(run, wire, streams, visits=idle + full, mib=filled)


SCENARIOS = (half_open, half_open_probed, loss, small_mtu, unplugged, torn)
