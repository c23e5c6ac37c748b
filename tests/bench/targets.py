"""What was promised, against what was measured."""

import dataclasses

import servers
from results import ENOUGH_ROUNDS, Ratio

FLOOR_AIM = 1.15
IDLE_BOUND = 1.05
BUSY_BOUND = 0.5
FLOOD_P99_US, FLOOD_MAX_US = 1000, 5000
WORKERS_GAIN, WORKERS_COST = 1.8, 1.1
# With fewer CPUs two workers and their client cannot have one each.
ENOUGH_CPUS = 4

PING = "a ping beside 8 floods"


@dataclasses.dataclass(frozen=True)
class Verdict:
    target: str
    where: str
    figure: str
    verdict: str  # met, tie, MISS, or why there is none.


def verdicts(results):
    found = [
        *against_peers(results, "at or below every correct peer (CPU per echo)", "echo", "deep", "connect", "idle"),
        *against_peers(results, "bulk at or below every correct peer (CPU per echo, per MiB)", "bulk"),
        *against_floor(results),
        *idle(results),
        *pings(results),
        *floods(results),
        *workers(results),
    ]
    if results.about.get("rounds", 0) < ENOUGH_ROUNDS:
        return [dataclasses.replace(item, verdict="too few rounds") for item in found]
    return found


def worst(words):
    return next((word for word in ("MISS", "tie", "met") if word in words), "not measured")


def against_peers(results, target, *families):
    """A verdict for each scenario: that against the peer which is hardest to beat."""
    scenarios = [scenario["name"] for scenario in results.scenarios_of(*families) if not scenario["only"]]
    return [peers_verdict(results, target, scenario) for scenario in scenarios]


def peers_verdict(results, target, scenario):
    ratios = {}
    for peer in results.correct_peers_in(scenario):
        ratio = results.ratio("cpu_us", (scenario, "echod"), (scenario, peer))
        if ratio:
            ratios[peer] = ratio
    if not ratios:
        return Verdict(target, scenario, "-", "not measured")
    hardest = max(ratios, key=lambda peer: ratios[peer].median)
    better = [peer for peer, ratio in ratios.items() if ratio.at_most(1) == "MISS"]
    figure = f"{ratios[hardest]} of {hardest}" + (f"; above {', '.join(better)}" if better else "")
    return Verdict(target, scenario, figure, worst([ratio.at_most(1) for ratio in ratios.values()]))


def against_floor(results):
    target = f"at most {FLOOR_AIM} of the floor, from 64 connections on"
    found = []
    for scenario in results.scenarios_of("echo", "deep"):
        name = scenario["name"]
        ratio = results.ratio("cpu_us", (name, "echod"), (name, "floor"))
        if scenario["connections"] >= 64 and ratio:
            found.append(Verdict(target, name, str(ratio), ratio.at_most(FLOOR_AIM)))
    return found


def idle(results):
    alone, among = "100 active among 0 idle", "100 active among 15000 idle"
    ratio = results.ratio("cpu_us", (among, "echod"), (alone, "echod"))
    return [bounded(f"15 000 idle connections cost at most {IDLE_BOUND}", among, ratio, IDLE_BOUND)]


def bounded(target, where, ratio, bound, than=""):
    if not ratio:
        return Verdict(target, where, "-", "not measured")
    return Verdict(target, where, f"{ratio}{than}", ratio.at_most(bound))


def pings(results):
    blocking, spinning = "ping, blocking client", "ping, spinning client"
    cases = (
        (f"busy polling: p50 at most {BUSY_BOUND} of the best peer's", spinning, servers.BUSY, BUSY_BOUND),
        ("no busy polling: p50 no worse than the best peer's", spinning, "echod", 1),
        ("no busy polling: p50 no worse than the best peer's", blocking, "echod", 1),
    )
    found = []
    for target, scenario, name, bound in cases:
        best = results.best_peer(scenario, "p50")
        ratio = results.ratio("p50", (scenario, name), (scenario, best)) if best else None
        found.append(bounded(target, scenario, ratio, bound, f" of {best}"))
    return found


def floods(results):
    p99 = results.by_round(PING, "echod", "p99")
    if not p99:
        return [Verdict("a ping beside floods", PING, "-", "not measured")]
    longest = max(results.by_round(PING, "echod", "max").values())
    p99_us = Ratio.of((value, 1) for value in p99.values())
    figure = f"{p99_us.median:.0f} ({p99_us.low:.0f} to {p99_us.high:.0f}) us"
    verdict = "met" if longest <= FLOOD_MAX_US else "MISS"
    found = [
        Verdict("p99 at most 1 ms", PING, figure, p99_us.at_most(FLOOD_P99_US)),
        Verdict("max at most 5 ms", PING, f"{longest:.0f} us in all rounds", verdict),
    ]
    fairest = results.best_peer(PING, "p99")
    if fairest:
        ratio = results.ratio("p99", (PING, "echod"), (PING, fairest))
        found.append(bounded("p99 at or below the best peer's", PING, ratio, 1, f" of {fairest}"))
        found.append(throughput("the floods get no less than with that peer", results, fairest))
        fastest = results.best_peer(PING, "mb_per_s", max)
        found.append(throughput("the floods get no less than with any peer", results, fastest))
    return found


def throughput(target, results, peer):
    ratio = results.ratio("mb_per_s", (PING, "echod"), (PING, peer))
    if not ratio:
        return Verdict(target, PING, "-", "not measured")
    return Verdict(target, PING, f"{ratio} of {peer}", ratio.at_least(1))


def workers(results):
    found = []
    cpus = results.about.get("cpus", 0)
    for scenario in results.scenarios_of("workers"):
        name = scenario["name"]
        pair = (name, servers.TWO_WORKERS), (name, servers.ONE_WORKER)
        gain = results.ratio("rate", *pair)
        if gain:
            verdict = gain.at_least(WORKERS_GAIN)
            if verdict != "met" and cpus < ENOUGH_CPUS:
                verdict = f"cannot show with {cpus} CPUs"
            found.append(Verdict(f"two workers give at least {WORKERS_GAIN} of one", name, str(gain), verdict))
        cost = results.ratio("cpu_us", *pair)
        found.append(bounded(f"two workers cost at most {WORKERS_COST} of one for an echo", name, cost, WORKERS_COST))
    return found
