"""Clients that send much, in ways that TCP allows: urgent bytes, half-closes, floods."""

import multiprocessing
import random
import time
from ctypes import c_bool, c_uint64

import clients
from checked_stream import Plan, Stream
from scenario_run import MIB, ScenarioRun


def urgent_data(run: ScenarioRun) -> None:
    """Urgent bytes, in the middle and at the end of data, come back in order like all others."""
    count, size = 150, 30_000
    run.start("workers = 2\n[buffers]\ntotal_mib = 2\n")
    with run.attack(connections=count, buffers_kib=2048):
        those = clients.connect_many(run.port, count)
        run.visitors += count
        streams = [clients.open_stream(one, size, run.rng, urgent_share=0.5) for one in those]
        clients.run_streams(streams)
    run.did(count, f"streams of {size} bytes")
    run.did(sum(stream.urgent_sent for stream in streams), "urgent bytes")
    run.bound_cpu(visits=count, echoes=sum(stream.calls for stream in streams), mib=count * size / MIB)
    run.finish(kept_kib=2048)


def half_close_swarm(run: ScenarioRun) -> None:
    """Each client sends no, few or many bytes and its FIN, and gets all of them back, and then the server's FIN."""
    count, largest = 2500, 50_000
    run.start("workers = 2\n[buffers]\ntotal_mib = 2\n")
    with run.attack(connections=count, buffers_kib=2048):
        those = clients.connect_many(run.port, count)
        run.visitors += count
        streams = [clients.open_stream(one, min(largest, int(run.rng.expovariate(1 / 4000))), run.rng)
                   for one in those]
        clients.run_streams(streams)
        closed = run.closed()
        run.check(closed["reset"] == 0, f"{closed['reset']} were reset")
    sent = sum(stream.received for stream in streams)
    run.did(count, "streams half-closed")
    run.did(sent, "bytes on them")
    run.bound_cpu(visits=count, echoes=sum(stream.calls for stream in streams), mib=sent / MIB)
    run.finish(kept_kib=2048)


def flood_and_pings(run: ScenarioRun) -> None:
    """Floods, some reading and some not: 300 pings are answered meanwhile."""
    reading, deaf, pings = 6, 60, 300
    run.start("workers = 2\n[buffers]\ntotal_mib = 2\n[socket]\nreceive_buffer_kib = 64\nsend_buffer_kib = 64\n")
    context = multiprocessing.get_context("fork")
    is_over, moved = context.RawValue(c_bool), context.RawValue(c_uint64)
    with run.attack(connections=reading + deaf, buffers_kib=2048):
        flood = context.Process(target=run_flood, args=(run.port, reading, run.rng.random(), is_over, moved),
                                daemon=True)
        flood.start()
        those = clients.connect_many(run.port, deaf)
        run.visitors += reading + deaf
        data = run.rng.randbytes(65536)
        unread = sum(clients.send_until_full(one, data) for one in those)
        run.pinger.wait_for_pings(pings)
        is_over.value = True
        flood.join()
        clients.close_all(those)
    run.check(flood.exitcode == 0, "a flood did not get its bytes back")
    run.check(moved.value > 64 * MIB, f"the floods moved {moved.value} bytes")
    run.did(moved.value // MIB, f"MiB flooded by {reading}")
    run.did(unread // MIB, f"MiB by {deaf} that never read")
    run.bound_cpu(visits=reading + deaf, mib=run.moved("bytes_sent") / MIB, factor=4,  # Small buffers.
                  events=run.moved("echoes"))
    run.finish(kept_kib=2048)


def run_flood(port: int, count: int, seed: float, is_over: c_bool, moved: c_uint64) -> None:
    """Sends and receives on all connections as fast as possible until `is_over`, then reads the rest. Checks all bytes.
    """
    rng = random.Random(seed)
    plan = Plan("flood", 1 << 60, least=65536, most=65536, read_most=65536, is_hashed=False)
    streams = [Stream("", plan, one, rng) for one in clients.connect_many(port, count)]
    clients.run_streams(streams, lambda: is_over.value)
    for stream in streams:
        stream.leave(time.monotonic())
    clients.run_streams(streams)
    moved.value = sum(stream.received for stream in streams)
