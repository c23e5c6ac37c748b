"""Compares the measured figures with the targets."""

import dataclasses

import servers
from results import Ratio

FLOOR_AIM = 1.15
IDLE_BOUND = 1.05
BUSY_BOUND = 0.5
FLOOD_P99_US, FLOOD_MAX_US, FLOOD_SHARE = 1000, 5000, 0.25
TRAINS_SHARE = 0.1
# The shares of the best peer's CPU that echod may take where it splices: bulk, and many messages of 16 KiB.
SPLICE_SHARE, SPLICE_DEEP_SHARE = 0.65, 0.75
SPLICE_COST = 1.05
WORKERS_GAIN, WORKERS_COST = 1.8, 1.1
# Two workers and the two threads of their client need a CPU each.
ENOUGH_CPUS = 4
# If a thread of the client is busy for more than this share of its time, the client limits the rate.
BUSY_CLIENT = 0.9

PING = "a ping beside 8 floods"


@dataclasses.dataclass(frozen=True)
class Verdict:
    target: str
    where: str
    figure: str
    verdict: str  # met, tie, MISS, or the reason why there is no verdict.
    needed: tuple  # The (scenario, server) of echod whose runs must not fail.


def verdicts(results):
    found = [
        *against_peers(results, "at or below every correct peer (CPU per echo)", "echo", "deep", "connect", "idle"),
        *against_peers(results, "bulk at or below every correct peer (CPU per echo, per MiB)", "bulk"),
        *splice(results),
        *against_floor(results),
        *idle(results),
        *pings(results),
        *floods(results),
        *workers(results),
        *datagrams(results),
        *unix(results),
    ]
    return [unless_failed(results, item) for item in found]


def unless_failed(results, item):
    failed = [text for text in (results.failed(*runs) for runs in item.needed) if text]
    return dataclasses.replace(item, figure="; ".join(failed), verdict="MISS") if failed else item


def worst(words):
    return next(word for word in ("MISS", "tie", "too few rounds", "met") if word in words)


def against_peers(results, target, *families):
    """Compares echod with every correct peer. Returns a verdict for each scenario."""
    scenarios = [scenario["name"] for scenario in results.scenarios_of(*families) if not scenario["only"]]
    return [peers_verdict(results, target, scenario) for scenario in scenarios]


def peers_verdict(results, target, scenario, figure="cpu_us", server="echod"):
    """Returns the worst verdict against a correct peer, and the highest ratio among the peers with that verdict."""
    mine = (scenario, server)
    ratios = {peer: results.ratio(figure, mine, (scenario, peer)) for peer in results.correct_peers_in(scenario)}
    words = {peer: ratio.at_most(1) for peer, ratio in ratios.items() if ratio}
    if not words:
        return Verdict(target, scenario, "-", "not measured", (mine,))
    verdict = worst(words.values())
    deciding = max((peer for peer in words if words[peer] == verdict), key=lambda peer: ratios[peer].median)
    better = [peer for peer, word in words.items() if word == "MISS"]
    shown = f"{ratios[deciding]} of {deciding}" + (f"; above {', '.join(better)}" if better else "")
    return Verdict(target, scenario, shown, verdict, (mine,))


def splice(results):
    """Compares splicing with the best peer where it should gain, and with copying everywhere."""
    found = []
    for item in results.scenarios_of("bulk", "segments", "deep"):
        name = item["name"]
        is_deep = "16 KiB, depth 16" in name
        if item["family"] == "deep" and not (is_deep and item["connections"] == 64):
            continue
        share = SPLICE_DEEP_SHARE if is_deep else SPLICE_SHARE
        best = (name, results.best_peer(name, "cpu_us"))
        target = f"splicing takes at most {share} of the best peer's CPU"
        found.append(bounded(results, target, "cpu_us", (name, "echod"), best, share))
    target = f"splicing costs at most {SPLICE_COST} of copying"
    for item in results.scenarios_of("echo", "deep", "bulk", "segments", "connect"):
        mine, copying = ((item["name"], name) for name in ("echod", servers.COPYING))
        found.append(bounded(results, target, "cpu_us", mine, copying, SPLICE_COST))
    return found


def against_floor(results):
    target = f"at most {FLOOR_AIM} of the floor, from 64 connections on"
    found = []
    for scenario in results.scenarios_of("echo", "deep"):
        name = scenario["name"]
        if scenario["connections"] >= 64 and "floor" in results.servers_in(name):
            found.append(bounded(results, target, "cpu_us", (name, "echod"), (name, "floor"), FLOOR_AIM))
    return found


def idle(results):
    alone, among = "100 active among 0 idle", "100 active among 15000 idle"
    target = f"15 000 idle connections cost at most {IDLE_BOUND}"
    return [bounded(results, target, "cpu_us", (among, "echod"), (alone, "echod"), IDLE_BOUND)]


def bounded(results, target, figure, mine, other, bound, judge=Ratio.at_most):
    """Judges the ratio of two (scenario, server) by a bound. `mine` is an echod."""
    needed = tuple(runs for runs in (mine, other) if is_echod(results, runs[1]))
    ratio = results.ratio(figure, mine, other)
    if not ratio:
        return Verdict(target, mine[0], "-", "not measured", needed)
    than = f" of {other[1]}" if len(needed) == 1 else ""
    return Verdict(target, mine[0], f"{ratio}{than}", judge(ratio, bound), needed)


def is_echod(results, name):
    server = results.server(name)
    return bool(server) and server["kind"] in ("echod", "variant")


def pings(results):
    blocking, spinning = "ping, blocking client", "ping, spinning client"
    plain = "no busy polling: p50 at or below every correct peer's"
    return [
        busy_ping(results, f"busy polling: p50 at most {BUSY_BOUND} of the best peer's", spinning),
        peers_verdict(results, plain, spinning, "p50"),
        peers_verdict(results, plain, blocking, "p50"),
    ]


def busy_ping(results, target, scenario):
    best = results.best_peer(scenario, "p50")
    return bounded(results, target, "p50", (scenario, servers.BUSY), (scenario, best), BUSY_BOUND)


def floods(results):
    mine = (PING, "echod")
    p99_us, longest_us = (
        Ratio.of((value, 1) for value in results.by_round(*mine, figure).values()) for figure in ("p99", "max")
    )
    if not p99_us:
        return [Verdict("a ping beside floods", PING, "-", "not measured", (mine,))]
    shown = f"{p99_us.median:.0f} ({p99_us.low:.0f} to {p99_us.high:.0f}) us"
    longest = longest_us.at_most(FLOOD_MAX_US).replace("tie", "MISS")  # A single message above the bound is a miss.
    found = [
        Verdict("p99 at most 1 ms", PING, shown, p99_us.at_most(FLOOD_P99_US), (mine,)),
        Verdict("max at most 5 ms", PING, f"{longest_us.high:.0f} us in all rounds", longest, (mine,)),
    ]
    if (results.median(*mine, "lag_p99") or 0) > FLOOD_P99_US:
        # It shares its CPU with the floods' client.
        found = [item if item.verdict == "met" else dataclasses.replace(item, verdict="the client sent late")
                 for item in found]
    fairest = (PING, results.best_peer(PING, "p99"))
    fastest = (PING, results.best_peer(PING, "mb_per_s", max))
    same, most = "the floods get no less than with that peer", "the floods get no less than with any peer"
    share = f"p99 at most {FLOOD_SHARE} of the best peer that moves as many bytes"
    return [
        *found,
        bounded(results, "p99 at or below the best peer's", "p99", mine, fairest, 1),
        bounded(results, same, "mb_per_s", mine, fairest, 1, Ratio.at_least),
        bounded(results, most, "mb_per_s", mine, fastest, 1, Ratio.at_least),
        bounded(results, share, "p99", mine, (PING, best_as_fast(results)), FLOOD_SHARE),
    ]


def best_as_fast(results):
    """Returns the peer with the lowest p99 among those that move at least as many bytes of the floods as echod."""
    def ratio(peer):
        return results.ratio("mb_per_s", (PING, peer), (PING, "echod"))

    as_fast = [peer for peer in results.correct_peers_in(PING) if ratio(peer) and ratio(peer).median >= 1]
    return results.best_peer(PING, "p99", among=as_fast)


def workers(results):
    gain, cost = f"two workers give at least {WORKERS_GAIN} of one", f"two workers cost at most {WORKERS_COST} of one"
    found = []
    for scenario in results.scenarios_of("workers"):
        two, one = ((scenario["name"], name) for name in (servers.TWO_WORKERS, servers.ONE_WORKER))
        rate = bounded(results, gain, "rate", two, one, WORKERS_GAIN, Ratio.at_least)
        if rate.verdict in ("MISS", "tie"):
            rate = dataclasses.replace(rate, verdict=why_not_shown(results, two) or rate.verdict)
        found.append(rate)
        found.append(bounded(results, f"{cost} for an echo", "cpu_us", two, one, WORKERS_COST))
    return found


def datagrams(results):
    singles, trains, rate = (
        [item["name"] for item in results.scenarios_of(family)] for family in ("datagrams", "trains", "rate")
    )
    target = "datagrams at or below every correct peer (CPU per echo)"
    found = [peers_verdict(results, target, name, server=servers.UDP) for name in singles]
    target = f"trains at most {TRAINS_SHARE} of the best peer's CPU"
    for name in trains:
        best = (name, results.best_peer(name, "cpu_us"))
        found.append(bounded(results, target, "cpu_us", (name, servers.UDP), best, TRAINS_SHARE))
    return found + [lossless(results, name) for name in rate]


def unix(results):
    target = "UNIX sockets at or below every correct peer (CPU per echo, per MiB)"
    names = [item["name"] for item in results.scenarios_of("unix")]
    return [peers_verdict(results, target, name, server=servers.UNIX) for name in names]


def lossless(results, scenario):
    """Judges the rounds in which the plain loop loses nothing."""
    mine, plain = (results.by_round(scenario, name, "loss_percent") for name in (servers.UDP, servers.PLAIN_UDP))
    judged = [mine[number] for number, loss in plain.items() if loss == 0 and number in mine]
    shown = f"{max(judged, default=0):.3g} % lost in the worst of {len(judged)} rounds"
    verdict = "not measured" if not judged else "MISS" if any(judged) else "met"
    return Verdict(f"no loss where {servers.PLAIN_UDP} has none", scenario, shown, verdict, ((scenario, servers.UDP),))


def why_not_shown(results, two_workers):
    """Returns what limited the rate, if it was not echod."""
    cpus = results.about.get("cpus", 0)
    if cpus < ENOUGH_CPUS:
        return f"cannot show with {cpus} CPUs"
    if (results.median(*two_workers, "client_share") or 0) > BUSY_CLIENT:
        return "the client was the limit"
    return None
