"""Many streams through a gate that delays, coalesces, splits, throttles, stalls and cuts them (support/chaos_gate.py).

A stream that was not cut must get every byte back, then the end. A stream that was cut may get less, but only right
bytes.
"""

import random
from collections import Counter

from chaos_gate import ChaosGate
from chaos_relay import GatePlan
from checked_stream import Crowd, Ending, Plan, Stream
from echod_process import wait_until
from scenario_run import MIB, ScenarioRun

STREAMS = 600
AT_A_TIME = 60
CUT_SHARE = 0.3
PATIENCE_S = 60.0


def draw(rng: random.Random) -> Plan:
    size, most = rng.choice(((0, 1), (1, 1), (rng.randint(1, 3000), 10), (rng.randint(1, 100_000), 1500),
                             (rng.randint(100_000, 1_500_000), 65536)))
    cut_at = rng.choice((0, 1, rng.randint(0, size), rng.randint(0, size))) if rng.random() < CUT_SHARE else -1
    gate = GatePlan(rng.getrandbits(64), cut_at, *(rng.random() < 0.5 for _ in range(3)))
    ending = rng.choice((Ending.HALF_CLOSE,) * 6 + (Ending.RESET, Ending.CLOSE))
    return Plan(ending.value, size, ending=ending, end_at=rng.randint(0, size), most=most,
                reads_after_s=rng.choice((0.0, 0.0, 0.5)), receive_buffer=rng.choice((0, 0, 4096)), gate=gate)


def chaos_gate(run: ScenarioRun) -> None:
    run.start("workers = 3\n[timeouts]\nidle_s = 30\n")
    kinds: Counter[str] = Counter()

    def judge(stream: Stream) -> None:
        kinds["whole" if stream.plan.is_whole else "cut"] += 1
        kinds["bytes"] += stream.received
        run.check(not stream.error, f"stream {stream.name}, {stream.plan}: {stream.error}")

    with ChaosGate(("127.0.0.1", run.port)) as gate, run.attack(connections=AT_A_TIME, buffers_kib=AT_A_TIME * 128):
        crowd = Crowd(judge)
        for number in range(STREAMS):
            rng = random.Random(f"{run.settings.seed} {number}")
            crowd.add(Stream(str(number), draw(rng), gate.address, rng))
            while len(crowd.streams) >= AT_A_TIME:
                crowd.run_once(PATIENCE_S)
        while crowd.streams:
            crowd.run_once(PATIENCE_S)
        wait_until("the gate to see all streams end", lambda: gate.counts()["open"] == 0)
        counts = gate.stop()
        came = counts["whole_plans"] + counts["cut_plans"]
        run.visitors += came
        wait_until("all to be closed", lambda: sum(run.closed().values()) >= came)
    run.did(kinds["whole"], f"streams came back whole, {kinds['cut']} were cut or abandoned")
    run.did(counts["cuts"], f"streams were cut, {counts['pieces_up']} pieces went to echod")
    run.check(counts["cuts"] > STREAMS * CUT_SHARE / 3, f"only {counts['cuts']} streams were cut")
    run.check(counts["pieces_up"] > 20 * STREAMS, f"only {counts['pieces_up']} pieces went to echod")
    run.check(kinds["whole"] > STREAMS / 3, f"only {kinds['whole']} streams were to be whole")
    # Each piece may wake a sleeping worker, which costs more than an echo of a worker that is awake.
    run.bound_cpu(visits=came, echoes=counts["pieces_up"], mib=run.moved("bytes_sent") / MIB, factor=8)
    run.finish(kept_kib=AT_A_TIME * 128)
