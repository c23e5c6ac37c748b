"""Faults of the network (needs root): peers vanish, packets are lost, an interface goes down, a middlebox resets."""

import socket
import time
from collections.abc import Sequence

import clients
from echod_process import wait_until
from stage import MIB, Stage
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


def start(stage: Stage, wire: Wire, config: str = CONFIG) -> None:
    """Starts echod and measures the cost of a MiB on the wire, where it is higher than on loopback."""
    stage.start(config, bulk=False)
    with wire.connect(stage.port, HEALTHY) as one:
        stage.costs.mib = stage.cost_of(lambda: stage.echo_bulk(one), WIRE_MIB)
    stage.visitors += 1


def connect_many(stage: Stage, wire: Wire, count: int, source: str) -> list[socket.socket]:
    """Returns non-blocking sockets; each has echoed a message."""
    made = [wire.connect(stage.port, source) for _ in range(count)]
    stage.visitors += count
    for one in made:
        clients.echo(one, stage.rng.randbytes(MESSAGE))
        one.setblocking(False)
    return made


def fill(stage: Stage, those: Sequence[socket.socket]) -> float:
    """Sends on all sockets without reading, until they use up echod's buffers. Returns the MiB sent.

    Each socket sends more than its own receive buffer takes, so echod owes bytes to each.
    """
    data = stage.rng.randbytes(BUFFER)
    sent = [0] * len(those)

    def is_full() -> bool:
        for number, one in enumerate(those):
            sent[number] += clients.send_until_full(one, data)
        return stage.moved("unbuffered_reads") > 0 and min(sent) >= 4 * BUFFER

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


def ended(stage: Stage) -> dict[str, int]:
    """Returns how many connections were closed, by reason, without those closed by the peer's FIN."""
    return {name: count for name, count in stage.closed().items() if count and name != "peer_closed"}


def see_ended(stage: Stage, reasons: dict[str, int]) -> None:
    wait_until(f"connections to be closed: {reasons}", lambda: sum(ended(stage).values()) >= sum(reasons.values()))
    stage.check(ended(stage) == reasons, f"the reasons of closed connections are {ended(stage)}, not {reasons}")


def see_gone(stage: Stage, wire: Wire, those: Sequence[socket.socket], reasons: dict[str, int]) -> None:
    """Checks that only the vanished peers were closed, for these reasons, and that their sockets did not notice."""
    see_ended(stage, reasons)
    stage.check(not any(clients.has_ended(one) for one in those), "a vanished peer got the end of its connection")
    for name in ("echoes", "vanished"):
        stage.check(wire.clients.filtered(name) > 0, f"no packet matched the rule '{name}'")
    stage.did(len(those), "peers vanished")
    stage.did(wire.clients.filtered("vanished"), "packets to them were dropped")
    for one in those:
        clients.reset(one)


def half_open(stage: Stage) -> None:
    """Peers vanish, some idle, some owed bytes: echod's own timeouts close and count each of them."""
    silent, under_way, full = 200, 150, 150
    config = f"{CONFIG}{SMALL_BUFFERS}keepalive = false\n"
    with Wire() as wire:
        start(stage, wire, config)
        with stage.attack(connections=silent + under_way + full, buffers_kib=TOTAL_MIB * 1024):
            those = connect_many(stage, wire, silent + under_way, DOOMED)
            readers = connect_many(stage, wire, full, DOOMED)
            sent = fill(stage, readers)
            have_bytes_under_way(wire, those[:under_way])
            vanish(wire)
            stage.hold()
            # Only now, so that no connection times out while others are being made.
            stage.daemon.reload(f"{config}[timeouts]\nidle_s = 3\nstalled_write_s = 2\n")
            see_gone(stage, wire, those + readers, {"idle_timeout": silent, "stalled_write": under_way + full})
        stage.bound_cpu(visits=len(those + readers), mib=sent, seconds=5, events=stage.moved("echoes"))
        stage.finish(kept_kib=TOTAL_MIB * 1024)


def half_open_probed(stage: Stage) -> None:
    """Peers vanish: keepalive finds the idle ones, TCP_USER_TIMEOUT those that are owed bytes."""
    silent, under_way = 250, 250
    with Wire() as wire:
        start(stage, wire, f"{CONFIG}[socket]\nkeepalive_idle_s = 1\nkeepalive_interval_s = 1\nuser_timeout_s = 2\n")
        with stage.attack(connections=silent + under_way):
            those = connect_many(stage, wire, silent + under_way, DOOMED)
            have_bytes_under_way(wire, those[:under_way])
            vanish(wire)
            see_gone(stage, wire, those, {"timed_out": len(those)})
        stage.bound_cpu(visits=len(those), seconds=5, events=stage.moved("echoes"))
        stage.finish()


def streams_of(stage: Stage, wire: Wire, count: int, size: int) -> list[clients.Stream]:
    streams = [clients.Stream(one, stage.rng.randbytes(size), stage.rng)
               for one in connect_many(stage, wire, count, HEALTHY)]
    stage.did(count, f"streams of {size / MIB:.1f} MiB, half-closed")
    return streams


def received(streams: Sequence[clients.Stream]) -> int:
    return sum(stream.received for stream in streams)


def run_part(streams: Sequence[clients.Stream]) -> None:
    """Runs the streams until a third of all bytes is back."""
    total = sum(len(stream.data) for stream in streams)
    clients.run_streams(streams, lambda: 3 * received(streams) >= total)


def run_for(streams: Sequence[clients.Stream], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    clients.run_streams([stream for stream in streams if not stream.is_over], lambda: time.monotonic() > deadline)


def run_rest(streams: Sequence[clients.Stream]) -> None:
    clients.run_streams([stream for stream in streams if not stream.is_over])


def finish_streams(stage: Stage, wire: Wire, streams: Sequence[clients.Stream], visits: int = 0,
                   mib: float = 0) -> None:
    """Ends a scenario. `visits`, `mib`: what other connections did."""
    stage.did(wire.clients.resent() + wire.server.resent(), "segments sent again")
    mib += sum(len(stream.data) for stream in streams) / MIB
    stage.bound_cpu(visits=len(streams) + visits, mib=mib, events=stage.moved("echoes"))
    stage.finish(kept_kib=TOTAL_MIB * 1024)


def loss(stage: Stage) -> None:
    """Packets are lost at random, in both directions: every byte comes back, in order, and then the FIN."""
    count = 30
    with Wire(rto_min_ms=10) as wire:
        start(stage, wire)
        with stage.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(stage, wire, count, MIB // 3)
            for end in (wire.server, wire.clients):
                end.filter("loss", f"ip saddr 192.0.2.0/24 numgen random mod 100 < {LOST_PERCENT} counter drop")
            clients.run_streams(streams)
            see_ended(stage, {})
            for end, direction in ((wire.server, "to"), (wire.clients, "from")):
                stage.did(end.filtered("loss"), f"packets lost on the way {direction} echod")
                stage.check(end.filtered("loss") > count, f"too few packets were lost on the way {direction} echod")
        finish_streams(stage, wire, streams)


def small_mtu(stage: Stage) -> None:
    """No packet has more than 576 bytes."""
    count = 20
    with Wire(SMALL_MTU) as wire:
        start(stage, wire)
        with stage.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(stage, wire, count, MIB // 2)
            segment = streams[0].socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            stage.check(segment < SMALL_MTU, f"segments have {segment} bytes")
            clients.run_streams(streams)
            see_ended(stage, {})
        finish_streams(stage, wire, streams)


def unplugged(stage: Stage) -> None:
    """echod's interface goes down during transfers, and its routes with it. All transfers go on when it is up again."""
    count = 30
    with Wire(rto_min_ms=10) as wire:
        start(stage, wire)
        with stage.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(stage, wire, count, MIB)
            run_part(streams)
            wire.unplug()
            run_for(streams, UNPLUGGED_S / 2)  # Reads what has arrived already.
            before = received(streams)
            run_for(streams, UNPLUGGED_S / 2)
            stage.check(received(streams) == before < count * MIB, "bytes came while the wire was unplugged")
            wire.plug_in()
            run_rest(streams)
            see_ended(stage, {})
        finish_streams(stage, wire, streams)


def torn(stage: Stage) -> None:
    """A middlebox resets some connections, some idle, some owed bytes. The others are not affected."""
    idle, full, healthy = 100, 100, 20
    with Wire() as wire:
        start(stage, wire, CONFIG + SMALL_BUFFERS)
        with stage.attack(connections=idle + full + healthy, buffers_kib=TOTAL_MIB * 1024):
            those = connect_many(stage, wire, idle, DOOMED)
            readers = connect_many(stage, wire, full, DOOMED)
            filled = fill(stage, readers)
            streams = streams_of(stage, wire, healthy, MIB)
            run_part(streams)
            # A packet from echod is answered by an RST; the client does not get it.
            wire.clients.filter("torn", f"ip daddr {DOOMED} meta l4proto tcp counter reject with tcp reset", "input")
            for one in those:
                one.send(bytes(MESSAGE))
            run_rest(streams)
            see_ended(stage, {"reset": idle + full})
            stage.did(idle + full, "connections reset by a filter")
        for one in those + readers:
            clients.reset(one)
        finish_streams(stage, wire, streams, visits=idle + full, mib=filled)


SCENARIOS = (half_open, half_open_probed, loss, small_mtu, unplugged, torn)
