"""Tests how the benchmark compares servers, excludes them and judges targets. Starts no server."""

import itertools
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import extras
import plots
import processes
import report
import rounds
import scenarios
import servers
import targets
from results import Ratio, Results

SCENARIO = "64 connections, 64 bytes"
TRAINS = "udp: 16 clients, trains of 32 x 1200 bytes"
RATE = "udp: 10000 a second"
VARIANTS = (servers.BUSY, servers.ONE_WORKER, servers.TWO_WORKERS, servers.UDP, servers.UNIX, servers.COPYING)


def results_of(figures, scenario=SCENARIO, figure="cpu_us"):
    """Makes results. `figures`: the values of each server, one for each round; None is a run that failed."""
    matrix = [scenarios_dict(item) for item in scenarios.matrix()]
    kinds = {"echod": "echod", "floor": "floor"} | dict.fromkeys(VARIANTS, "variant")
    results = Results(about={"rounds": max(map(len, figures.values())), "cpus": 2}, scenarios=matrix)
    for name, values in figures.items():
        server = servers.Server(name, kinds.get(name, "library"), (), fails_checks=("x",) if name == "broken" else ())
        results.servers.append({**vars(server), "is_correct_peer": server.is_correct_peer})
        for number, value in enumerate(values):
            outcome = {"failure": "it broke"} if value is None else {figure: value}
            results.runs.append({"round": number, "scenario": scenario, "server": name, **outcome})
    return results


def ratio_of(low, median, high):
    """Makes a ratio with enough rounds."""
    return Ratio.of((value, 1) for value in (low, median, median, median, high))


def scenarios_dict(scenario):
    return dict(vars(scenario))


def verdict_of(results, target):
    return next(item for item in targets.verdicts(results) if target in item.target)


class RatioTest(unittest.TestCase):
    def test_is_paired_by_round(self):
        results = results_of({"echod": [10, 20, 40], "libuv": [5, 10, 20]})
        ratio = results.ratio("cpu_us", (SCENARIO, "echod"), (SCENARIO, "libuv"))
        self.assertEqual((ratio.median, ratio.low, ratio.high), (2, 2, 2))

    def test_leaves_out_rounds_in_which_either_failed(self):
        results = results_of({"echod": [10, None, 30], "libuv": [10, 10, None]})
        self.assertEqual(results.ratio("cpu_us", (SCENARIO, "echod"), (SCENARIO, "libuv")).rounds, 1)

    def test_is_none_without_a_pair(self):
        self.assertIsNone(Ratio.of([(1, None), (None, 1), (1, 0)]))

    def test_is_a_tie_when_its_spread_encloses_one(self):
        self.assertTrue(ratio_of(0.9, 1.1, 1.2).is_tie)
        self.assertFalse(ratio_of(1.1, 1.2, 1.3).is_tie)

    def test_is_held_to_a_bound_with_its_whole_spread(self):
        ratio = ratio_of(1.0, 1.1, 1.2)
        self.assertEqual([ratio.at_most(bound) for bound in (1.2, 1.1, 0.9)], ["met", "tie", "MISS"])
        self.assertEqual([ratio.at_least(bound) for bound in (1.0, 1.1, 1.3)], ["met", "tie", "MISS"])

    def test_says_nothing_of_fewer_than_five_rounds(self):
        ratio = Ratio.of([(1, 1)] * 4)
        self.assertEqual((ratio.at_most(1), ratio.at_least(1), ratio.is_tie), ("too few rounds",) * 2 + (False,))


class ExclusionTest(unittest.TestCase):
    def setUp(self):
        self.peers = {peer.name: peer for peer in servers.peers(pathlib.Path("build"))}
        self.matrix = {scenario.name: scenario for scenario in scenarios.matrix()}

    def part(self, peer, scenario, is_quick=False):
        return servers.takes_part(self.peers[peer], self.matrix[scenario], is_quick)

    def test_names_are_unique(self):
        self.assertEqual(len(self.matrix), len(scenarios.matrix()))

    def test_select_is_a_baseline_for_few_idle_connections_only(self):
        self.assertTrue(self.part("select", "100 active among 900 idle"))
        self.assertFalse(self.part("select", "100 active among 5000 idle"))
        self.assertFalse(self.part("select", SCENARIO))
        self.assertTrue(self.part("poll", "100 active among 15000 idle"))

    def test_floor_needs_what_is_outstanding_to_fit_into_one_recv(self):
        self.assertTrue(self.part("floor", "64 connections, 1 KiB, depth 16"))
        self.assertFalse(self.part("floor", "64 connections, 16 KiB, depth 16"))
        self.assertFalse(self.part("floor", "connect, echo, close"))

    def test_slow_peers_take_part_in_core_scenarios(self):
        self.assertTrue(self.part("python-asyncio", "10000 connections, 64 bytes"))
        self.assertFalse(self.part("python-asyncio", "10000 connections, 1 KiB"))
        self.assertTrue(self.part("libuv", "10000 connections, 1 KiB"))

    def test_forking_peers_have_a_limit_of_connections(self):
        self.assertTrue(self.part("xinetd", SCENARIO))
        self.assertFalse(self.part("xinetd", "1000 connections, 64 bytes"))

    def test_variants_of_echod_are_in_their_own_scenarios_only(self):
        busy = servers.Server(servers.BUSY, "variant", (), families=("ping",), is_quick=True)
        self.assertTrue(servers.takes_part(busy, self.matrix["ping, spinning client"]))
        self.assertFalse(servers.takes_part(busy, self.matrix[SCENARIO]))
        self.assertFalse(self.part("libuv", "workers: 64 connections, 64 bytes"))

    def test_another_echod_takes_part_in_the_same_scenarios(self):
        with tempfile.TemporaryDirectory() as work, mock.patch.object(servers, "knows_key", return_value=True):
            found, _ = servers.echods(pathlib.Path("build"), pathlib.Path(work), pathlib.Path("old/echod"))
        names = {server.name: server for server in found}
        for scenario in self.matrix.values():
            now = {name for name, server in names.items() if servers.takes_part(server, scenario)}
            before = {name for name in now if name.startswith(servers.BEFORE)}
            self.assertEqual({name.replace(servers.BEFORE, "echod") for name in before}, now - before, scenario.name)
        self.assertEqual(names[servers.BEFORE].command[0], "old/echod")
        self.assertFalse(names[servers.BEFORE].is_correct_peer)

    def test_servers_take_part_in_scenarios_of_their_protocol_only(self):
        for name, peer in self.peers.items():
            takes_part = {item for item in self.matrix if self.part(name, item)}
            self.assertEqual({self.matrix[item].protocol for item in takes_part}, {peer.protocol}, name)

    def test_what_needs_a_veth_pair_is_skipped_with_the_reason_why_there_is_none(self):
        skipped = rounds.skipped_for_network(self.matrix.values(), "needs root")
        self.assertEqual({item["why"] for item in skipped}, {"needs root"})
        self.assertEqual({item["scenario"] for item in skipped}, {name for name in self.matrix if " on veth" in name})
        self.assertEqual(rounds.skipped_for_network(self.matrix.values(), ""), [])

    def test_only_the_baselines_are_in_idle_scenarios_alone(self):
        baselines = {"select", "poll"}
        for name, peer in self.peers.items():
            takes_part = {item.family for item in self.matrix.values() if servers.takes_part(peer, item)}
            self.assertEqual(takes_part == {"idle"}, name in baselines, name)


class TargetTest(unittest.TestCase):
    def test_is_missed_when_one_peer_is_better_in_all_rounds(self):
        results = results_of({"echod": [10] * 5, "libuv": [9, 8, 9, 9, 9], "asio": [12] * 5})
        verdict = verdict_of(results, "every correct peer")
        self.assertEqual(verdict.verdict, "MISS")
        self.assertIn("above libuv", verdict.figure)

    def test_is_tied_when_one_peer_is_better_at_times(self):
        results = results_of({"echod": [10] * 5, "libuv": [9, 11, 9, 9, 9], "asio": [12] * 5})
        self.assertEqual(verdict_of(results, "every correct peer").verdict, "tie")

    def test_shows_the_peer_that_decides(self):
        # "noise" has the highest median ratio, but is not better in all rounds.
        noise = [5, 6, 12, 5, 6]
        results = results_of({"echod": [10] * 5, "noise": noise, "libuv": [9.5] * 5, "asio": [8, 9, 9, 9, 9]})
        verdict = verdict_of(results, "every correct peer")
        self.assertEqual((verdict.verdict, verdict.figure), ("MISS", "1.11 (1.11 to 1.25) of asio; above libuv, asio"))
        results = results_of({"echod": [10] * 5, "noise": noise, "libuv": [11] * 5})
        verdict = verdict_of(results, "every correct peer")
        self.assertEqual((verdict.verdict, verdict.figure), ("tie", "1.67 (0.83 to 2.00) of noise"))

    def test_is_missed_when_echod_fails(self):
        for mine in ([10, None] + [10] * 4, [None] * 6):
            verdict = verdict_of(results_of({"echod": mine, "libuv": [11] * 6}), "every correct peer")
            failed = f"echod failed in {mine.count(None)} of 6 rounds"
            self.assertEqual((verdict.verdict, verdict.figure), ("MISS", failed))

    def test_has_no_verdict_when_a_peer_fails_too_often(self):
        results = results_of({"echod": [10] * 6, "libuv": [11] * 6, "asio": [12, 12, 12, 12, None, None]})
        verdict = verdict_of(results, "every correct peer")
        self.assertEqual((verdict.verdict, "asio" in verdict.figure), ("too few rounds", True))

    def test_of_a_lone_ping_holds_against_every_peer(self):
        # "noise" has the lowest median; "libuv" is better than echod in all rounds.
        figures = {"echod": [30] * 5, "noise": [20, 20, 20, 20, 40], "libuv": [29] * 5}
        results = results_of(figures, "ping, spinning client", "p50")
        verdict = verdict_of(results, "no busy polling")
        self.assertEqual((verdict.verdict, "of libuv" in verdict.figure), ("MISS", True))

    def test_is_met_against_correct_peers_only(self):
        figures = {"echod": [10] * 5, "libuv": [11, 11, 12, 11, 11], "broken": [5] * 5, "floor": [9] * 5}
        results = results_of(figures)
        self.assertEqual(verdict_of(results, "every correct peer").verdict, "met")
        self.assertEqual(verdict_of(results, "floor").verdict, "met")

    def test_has_no_verdict_of_fewer_than_five_rounds(self):
        results = results_of({"echod": [10] * 4, "libuv": [11] * 4})
        self.assertEqual(verdict_of(results, "every correct peer").verdict, "too few rounds")

    def test_of_busy_polling_is_half_of_the_best_peers_latency(self):
        figures = {"echod": [30] * 5, servers.BUSY: [12, 13, 12, 12, 12], "libuv": [40] * 5, "asio": [31] * 5}
        results = results_of(figures, "ping, spinning client", "p50")
        verdict = verdict_of(results, "busy polling: p50 at most")
        self.assertEqual((verdict.verdict, "asio" in verdict.figure), ("met", True))

    def test_of_two_workers_is_open_when_something_else_was_the_limit(self):
        figures = {servers.ONE_WORKER: [10] * 5, servers.TWO_WORKERS: [12] * 5}
        results = results_of(figures, "workers: 64 connections, 64 bytes", "rate")
        self.assertEqual(verdict_of(results, "two workers give").verdict, "cannot show with 2 CPUs")
        results.about["cpus"] = 4
        self.assertEqual(verdict_of(results, "two workers give").verdict, "MISS")
        for run in results.runs:
            run["client_share"] = 0.95
        self.assertEqual(verdict_of(results, "two workers give").verdict, "the client was the limit")

    def test_of_two_workers_is_missed_when_one_of_them_fails(self):
        figures = {servers.ONE_WORKER: [10] * 5 + [None], servers.TWO_WORKERS: [20] * 6}
        results = results_of(figures, "workers: 64 connections, 64 bytes", "rate")
        verdict = verdict_of(results, "two workers give")
        self.assertEqual((verdict.verdict, verdict.figure), ("MISS", "echod, 1 worker failed in 1 of 6 rounds"))

    def test_of_trains_is_a_tenth_of_the_best_peers_cpu(self):
        figures = {servers.UDP: [1.0] * 5, "udp-mmsg": [11] * 5, "udp-loop": [9.5, 12, 12, 12, 12]}
        verdict = verdict_of(results_of(figures, TRAINS), "trains at most")
        self.assertEqual((verdict.verdict, "of udp-mmsg" in verdict.figure), ("met", True))
        verdict = verdict_of(results_of({servers.UDP: [1.2] * 5, "udp-mmsg": [11] * 5}, TRAINS), "trains at most")
        self.assertEqual(verdict.verdict, "MISS")

    def test_of_splice_is_a_share_of_the_best_peer_and_a_bound_against_echod_that_copies(self):
        figures = {"echod": [6] * 5, servers.COPYING: [10] * 5, "libuv": [11] * 5, "asio": [10] * 5}
        results = results_of(figures, "8 streams")
        self.assertEqual(verdict_of(results, "splicing takes at most 0.65").verdict, "met")
        self.assertEqual(verdict_of(results, "splicing costs at most").verdict, "met")
        results = results_of({"echod": [11] * 5, servers.COPYING: [10] * 5})
        self.assertEqual(verdict_of(results, "splicing costs at most").verdict, "MISS")

    def test_of_a_ping_beside_floods_is_a_share_of_the_best_peer_that_moves_as_many_bytes(self):
        results = results_of({"echod": [200] * 5, "libuv": [1000] * 5, "asio": [500] * 5}, targets.PING, "p99")
        speeds = {"echod": 900, "libuv": 1000, "asio": 300}
        for run in results.runs:
            run.update(max=2000, mb_per_s=speeds[run["server"]])
        verdict = verdict_of(results, "p99 at most 0.25 of the best peer")
        self.assertEqual((verdict.verdict, "of libuv" in verdict.figure), ("met", True))

    def test_of_a_ping_beside_floods_is_open_if_its_client_sends_late(self):
        for lag, verdict in ((100, "MISS"), (1500, "the client sent late")):
            results = results_of({"echod": [2000] * 5}, targets.PING, "p99")
            for run in results.runs:
                run.update(max=2000, lag_p99=lag)
            self.assertEqual(verdict_of(results, "p99 at most 1 ms").verdict, verdict)

    def test_of_loss_holds_in_the_rounds_in_which_the_plain_loop_loses_nothing(self):
        for mine, verdict in ((0, "met"), (0.1, "MISS")):
            figures = {servers.UDP: [3, mine, 0], servers.PLAIN_UDP: [2, 0, 0]}
            found = verdict_of(results_of(figures, RATE, "loss_percent"), "no loss where")
            self.assertEqual(found.verdict, verdict)
        figures = {servers.UDP: [0], servers.PLAIN_UDP: [2]}
        found = verdict_of(results_of(figures, RATE, "loss_percent"), "no loss where")
        self.assertEqual(found.verdict, "not measured")

    def test_that_cannot_be_judged_is_not_measured(self):
        self.assertEqual(verdict_of(results_of({"echod": [10] * 5}), "15 000 idle").verdict, "not measured")


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.results = results_of({"echod": [10, 10, 10], "libuv": [9, None, 9]})
        self.results.about.update(time="", kernel="", echod="", seconds=1, quick=False)

    def test_shows_failed_runs(self):
        self.assertIn("**libuv failed** in 1 of 3 rounds: it broke", report.report(self.results, {}))

    def test_says_what_else_the_machine_did(self):
        for run, share in zip(self.results.runs, (0.01, 0.03)):
            run["others"] = share
        text = "Other processes took 2.0% of a CPU during the runs, 3.0% in the worst run."
        self.assertIn(text, report.report(self.results, {}))

    def test_is_the_same_of_saved_results(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.json"
            self.results.save(path)
            self.assertEqual(report.report(Results.load(path), {}), report.report(self.results, {}))

    def test_plots_names_with_underscores_as_they_are(self):
        self.assertEqual(plots.quoted("io_uring"), '"io\\\\_uring"')


class PlanTest(unittest.TestCase):
    def test_has_another_order_in_each_round_and_the_same_when_repeated(self):
        wanted = [servers.Server(name, "library", ()) for name in "abcdefgh"]
        scenario = next(item for item in scenarios.matrix() if item.name == SCENARIO)
        orders = [[run.server.name for run in rounds.plan(2, [scenario], wanted, False)] for _ in range(2)]
        self.assertEqual(orders[0], orders[1])
        self.assertEqual(sorted(orders[0][:8]), sorted(orders[0][8:]))
        self.assertNotEqual(orders[0][:8], orders[0][8:])

    def test_mixes_the_scenarios_with_idle_connections_and_no_others(self):
        wanted = [servers.Server(name, "library", ()) for name in "abcdefgh"]
        runs = [run.scenario for run in rounds.plan(1, scenarios.matrix(), wanted, False)]
        turns = [name for name, _ in itertools.groupby(runs, rounds.group_of)]
        self.assertEqual(len(turns), len(set(turns)))
        self.assertIn(SCENARIO, turns)
        idle = [scenario.name for scenario in runs if scenario.family == "idle"]
        self.assertGreater(len(list(itertools.groupby(idle))), len(set(idle)))


class ProcessesTest(unittest.TestCase):
    def test_counts_the_time_of_others_and_of_their_children(self):
        stat = {"1": ["S"] * 11 + ["1", "2", "3", "4"], "7": None, str(os.getpid()): ["R"] * 11 + ["100"] * 4}
        with mock.patch.object(os, "listdir", return_value=[*stat, "self"]):
            with mock.patch.object(processes, "stat_fields", side_effect=stat.get):
                self.assertEqual(processes.others_s(), 10 / processes.TICKS_PER_S)


class ParsingTest(unittest.TestCase):
    def test_system_calls_of_strace(self):
        table = "    calls syscall\n--------- ----------------\n      12 recvfrom\n       3 close\n      15 total\n"
        self.assertEqual(extras.calls_of(table), {"recvfrom": 12, "close": 3})

    def test_points_of_a_percentile_table(self):
        heading = "Value Percentile TotalCount 1/(1-Percentile)\n\n"
        table = f"{heading} 1.5 0.5 7 2.00\n 2.5 1.0 14\n#[Mean = 1, StdDeviation = 0]\n"
        self.assertEqual(extras.points_of(table), [[2.0, 1.5]])


if __name__ == "__main__":
    unittest.main()
