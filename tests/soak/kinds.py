"""The kinds of streams of a soak.

The source address of a stream says how it must end. So echod's log lines can be added up by address and compared with
the counts of the clients.
"""

import math
import random
from collections.abc import Callable
from dataclasses import replace

from chaos_relay import GatePlan
from checked_stream import Ending, Plan

WHOLE = "127.0.0.2"  # All bytes come back, then the end.
CUT = "127.0.0.3"  # The client leaves at any time.
IDLE = "127.0.0.4"  # All bytes come back, then echod closes the silent connection.
STALLED = "127.0.0.5"  # The client reads nothing until echod closes the connection.
GATE_WHOLE = "127.0.0.6"  # As WHOLE and CUT, but through the chaos gate.
GATE_CUT = "127.0.0.7"
LOAD = "127.0.0.8"  # Connections of echoload.
LOCAL = "unix"  # As WHOLE, over a UNIX socket.
DATAGRAMS = "127.0.0.11"  # UDP; no line of the log is about a datagram.

LONGEST_TRAIN = 40  # Datagrams that a UDP client sends as one.
KIB = 1024
MIB = 1024 * KIB


def spread(rng: random.Random, least: int, most: int) -> int:
    """Returns a random number, evenly distributed on a log scale."""
    return round(math.exp(rng.uniform(math.log(least), math.log(most))))


def ping(rng: random.Random) -> Plan:
    size = spread(rng, 1, 4096)
    return Plan("ping", size * spread(rng, 10, 500), least=size, most=size, waits_for_echo=True, source=WHOLE)


def stays(rng: random.Random) -> Plan:
    """A stream that stays to the end of the phase."""
    return Plan("stays", 100 * MIB, most=16 * KIB, waits_for_echo=True, send_pause_s=rng.uniform(0.02, 1.0),
                source=WHOLE)


def short(rng: random.Random) -> Plan:
    return Plan("short", rng.randint(0, 4096), most=4096, source=WHOLE)


def dribble(rng: random.Random) -> Plan:
    return Plan("dribble", rng.randint(1, 3000), most=3, source=WHOLE)


def mixed(rng: random.Random) -> Plan:
    return Plan("mixed", spread(rng, 1, 8 * MIB), least=rng.choice((1, 100, 10_000)), most=MIB, source=WHOLE)


def bulk(rng: random.Random) -> Plan:
    return Plan("bulk", rng.randint(MIB, 48 * MIB), least=64 * KIB, most=MIB, source=WHOLE)


def slow_reader(rng: random.Random) -> Plan:
    total, window = rng.choice(((20 * KIB, 2304), (600 * KIB, 16 * KIB)))
    return Plan("slow_reader", rng.randint(1, total), least=100, read_most=rng.randint(1000, 16 * KIB),
                read_pause_s=rng.uniform(0.002, 0.03), receive_buffer=window, source=WHOLE)


def late_reader(rng: random.Random) -> Plan:
    return Plan("late_reader", spread(rng, 10 * KIB, 8 * MIB), least=1000, most=MIB,
                reads_after_s=rng.uniform(0.2, 2.0), source=WHOLE)


def urgent(rng: random.Random) -> Plan:
    return Plan("urgent", rng.randint(1, 300 * KIB), most=10 * KIB, urgent_share=0.1, source=WHOLE)


def reset(rng: random.Random) -> Plan:
    return leaving("reset", Ending.RESET, rng)


def close(rng: random.Random) -> Plan:
    return leaving("close", Ending.CLOSE, rng)


def leaving(kind: str, ending: Ending, rng: random.Random) -> Plan:
    total = spread(rng, 1, 4 * MIB)
    return Plan(kind, total, ending=ending, end_at=rng.randint(0, total), most=256 * KIB,
                read_pause_s=rng.choice((0.0, 0.02)), source=CUT)


def connects_alone(rng: random.Random) -> Plan:
    ending = rng.choice((Ending.HALF_CLOSE, Ending.RESET, Ending.CLOSE))
    return Plan("connects_alone", 0, ending=ending, source=WHOLE if ending is Ending.HALF_CLOSE else CUT)


def idle(rng: random.Random) -> Plan:
    return Plan("idle", rng.randint(0, 5000), ending=Ending.SILENCE, source=IDLE)


def stalled(rng: random.Random) -> Plan:
    return Plan("stalled", 64 * MIB, ending=Ending.STALL, least=10 * KIB, receive_buffer=rng.choice((0, 8 * KIB)),
                source=STALLED)


def local(rng: random.Random) -> Plan:
    plan = rng.choice((ping, short, mixed, bulk, late_reader))(rng)
    return replace(plan, kind="local", source=LOCAL)


def gate(rng: random.Random) -> Plan:
    return Plan("gate", spread(rng, 1, 2 * MIB), least=100, gate=GatePlan(rng.getrandbits(64)), source=GATE_WHOLE)


def gate_cut(rng: random.Random) -> Plan:
    total = spread(rng, 1, 2 * MIB)
    plan = GatePlan(rng.getrandbits(64), rng.randint(0, total), *(rng.random() < 0.5 for _ in range(3)))
    return Plan("gate_cut", total, ending=rng.choice((Ending.HALF_CLOSE, Ending.RESET, Ending.CLOSE)),
                end_at=rng.randint(0, total), least=100, gate=plan, source=GATE_CUT)


WEIGHTS: dict[Callable[[random.Random], Plan], float] = {
    short: 20, connects_alone: 10, ping: 12, dribble: 4, mixed: 15, reset: 8, close: 8, urgent: 4, bulk: 2,
    slow_reader: 3, late_reader: 3, gate: 4, gate_cut: 3, local: 6, idle: 0.5, stalled: 0.3, stays: 0.2}
KINDS = [*WEIGHTS]
STORM_SHARE = 0.0005  # The share of streams that start a storm of short streams.


def draw(rng: random.Random) -> Plan:
    return rng.choices(KINDS, [*WEIGHTS.values()])[0](rng)


def size_of_storm(rng: random.Random) -> int:
    return rng.randint(100, 300) if rng.random() < STORM_SHARE else 0
