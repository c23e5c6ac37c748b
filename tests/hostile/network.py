"""What networks do, as root: peers vanish without a word, packets get lost, a cable is pulled, a middlebox resets."""

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
SMALL_BUFFERS = "[socket]\nsend_buffer_kib = 16\n"  # So that echod has to use its own.
WIRE_MIB = 8  # To find out what one costs.
MESSAGE = 1000
LOST_PERCENT = 5
UNPLUGGED_S = 1.0
SMALL_MTU = 576


def start(stage: Stage, wire: Wire, config: str = CONFIG) -> None:
    """What a MiB costs is measured on the wire: in packets, which is more than on loopback."""
    stage.start(config, bulk=False)
    with wire.connect(stage.port, HEALTHY) as one:
        stage.costs.mib = stage.cost_of(lambda: stage.echo_bulk(one), WIRE_MIB)
    stage.visitors += 1


def connect_many(stage: Stage, wire: Wire, count: int, source: str) -> list[socket.socket]:
    """They have been served, and they do not block."""
    made = [wire.connect(stage.port, source) for _ in range(count)]
    stage.visitors += count
    for one in made:
        clients.echo(one, stage.rng.randbytes(MESSAGE))
        one.setblocking(False)
    return made


def fill(stage: Stage, those: Sequence[socket.socket]) -> float:
    """They send and do not read, until echod's buffers are spent on them. Returns the MiB that they sent.

    Each sends more than its own receive buffer takes, so that each is owed some of it.
    """
    data = stage.rng.randbytes(BUFFER)
    sent = [0] * len(those)

    def is_full() -> bool:
        for number, one in enumerate(those):
            sent[number] += clients.send_until_full(one, data)
        return stage.moved("unbuffered_reads") > 0 and min(sent) >= 4 * BUFFER

    wait_until("echod's buffers to be spent", is_full)
    return sum(sent) / MIB


def have_bytes_under_way(wire: Wire, those: Sequence[socket.socket]) -> None:
    """Each sends a message, and the echo gets lost, again and again; that the message came is still acknowledged."""
    wire.clients.filter("echoes", f"ip daddr {DOOMED} ip length > {MESSAGE} counter drop")
    for one in those:
        one.send(bytes(MESSAGE))
    clients.wait_until_arrived(those)


def vanish(wire: Wire) -> None:
    """Nothing of the doomed arrives anywhere from now on: no FIN, no RST, no acknowledgement."""
    wire.clients.filter("vanished", f"ip daddr {DOOMED} counter drop")
    wire.server.filter("vanished", f"ip saddr {DOOMED} counter drop")


def ended(stage: Stage) -> dict[str, int]:
    """Connections that were not closed by the peer's FIN, by reason."""
    return {name: count for name, count in stage.closed().items() if count and name != "peer_closed"}


def see_ended(stage: Stage, reasons: dict[str, int]) -> None:
    wait_until(f"connections to be closed: {reasons}", lambda: sum(ended(stage).values()) >= sum(reasons.values()))
    stage.check(ended(stage) == reasons, f"closed were {ended(stage)}, not {reasons}")


def see_gone(stage: Stage, wire: Wire, those: Sequence[socket.socket], reasons: dict[str, int]) -> None:
    """Those that vanished are closed for these reasons, and nobody else is; nothing of it arrived at their end."""
    see_ended(stage, reasons)
    stage.check(not any(clients.has_ended(one) for one in those), "a peer that had vanished was told its end")
    for name in ("echoes", "vanished"):
        stage.check(wire.clients.filtered(name) > 0, f"no packet met the rule '{name}'")
    stage.did(len(those), "peers vanished")
    stage.did(wire.clients.filtered("vanished"), "packets to them went nowhere")
    for one in those:
        clients.reset(one)


def half_open(stage: Stage) -> None:
    """Peers vanish, silent ones and such as are owed bytes: echod's own timeouts find and count every one."""
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
            # Not before: none shall be timed out while others are being connected.
            stage.daemon.reload(f"{config}[timeouts]\nidle_s = 3\nstalled_write_s = 2\n")
            see_gone(stage, wire, those + readers, {"idle_timeout": silent, "stalled_write": under_way + full})
        stage.bound_cpu(visits=len(those + readers), mib=sent, seconds=5, events=stage.moved("echoes"))
        stage.finish(kept_kib=TOTAL_MIB * 1024)


def half_open_probed(stage: Stage) -> None:
    """Peers vanish: keepalive finds the silent ones, TCP_USER_TIMEOUT those that are owed bytes."""
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
    """Until a third of all bytes is back."""
    total = sum(len(stream.data) for stream in streams)
    clients.run_streams(streams, lambda: 3 * received(streams) >= total)


def run_for(streams: Sequence[clients.Stream], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    clients.run_streams([stream for stream in streams if not stream.is_over], lambda: time.monotonic() > deadline)


def run_rest(streams: Sequence[clients.Stream]) -> None:
    clients.run_streams([stream for stream in streams if not stream.is_over])


def finish_streams(stage: Stage, wire: Wire, streams: Sequence[clients.Stream], visits: int = 0,
                   mib: float = 0) -> None:
    """`visits`, `mib`: of other connections."""
    stage.did(wire.clients.resent() + wire.server.resent(), "segments sent again")
    mib += sum(len(stream.data) for stream in streams) / MIB
    stage.bound_cpu(visits=len(streams) + visits, mib=mib, events=stage.moved("echoes"))
    stage.finish(kept_kib=TOTAL_MIB * 1024)


def loss(stage: Stage) -> None:
    """Packets get lost at random, both ways: every byte comes back, in order, and then the FIN."""
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
                stage.check(end.filtered("loss") > count, f"hardly a packet got lost on the way {direction} echod")
        finish_streams(stage, wire, streams)


def small_mtu(stage: Stage) -> None:
    """Every packet has 576 bytes at most."""
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
    """echod's interface goes down in the midst of transfers, and its routes with it; when it is back all goes on."""
    count = 30
    with Wire(rto_min_ms=10) as wire:
        start(stage, wire)
        with stage.attack(connections=count, buffers_kib=TOTAL_MIB * 1024):
            streams = streams_of(stage, wire, count, MIB)
            run_part(streams)
            wire.unplug()
            run_for(streams, UNPLUGGED_S / 2)  # What had arrived is read.
            before = received(streams)
            run_for(streams, UNPLUGGED_S / 2)
            stage.check(received(streams) == before < count * MIB, "bytes came though the wire was unplugged")
            wire.plug_in()
            run_rest(streams)
            see_ended(stage, {})
        finish_streams(stage, wire, streams)


def torn(stage: Stage) -> None:
    """A middlebox resets some connections, idle ones and such as are owed bytes; the others do not notice."""
    idle, full, healthy = 100, 100, 20
    with Wire() as wire:
        start(stage, wire, CONFIG + SMALL_BUFFERS)
        with stage.attack(connections=idle + full + healthy, buffers_kib=TOTAL_MIB * 1024):
            those = connect_many(stage, wire, idle, DOOMED)
            readers = connect_many(stage, wire, full, DOOMED)
            filled = fill(stage, readers)
            streams = streams_of(stage, wire, healthy, MIB)
            run_part(streams)
            # An RST in answer to what echod sends; the clients hear of nothing.
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
