"""Tests soak_verdict.py and the log reader of the soak: they find each kind of damage. Starts no daemon."""

import random
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import configs
import kinds
import soak_verdict
from admin_watch import parse
from checked_stream import Ending
from client_process import Tally
from daemon_log import DaemonLog

HEAD = "2026-11-21 02:50:20,123 - network-server - "


def lines(source: str, in_bytes: int, out_bytes: int, reason: str) -> list[str]:
    return [f"{HEAD}DEBUG - open peer={source}:40312 fd=12",
            f"{HEAD}DEBUG - close peer={source}:40312 fd=12 in={in_bytes} out={out_bytes} duration=0.042s "
            f"reason={reason}"]


def counters(**changes: int) -> dict[str, int]:
    return {**dict.fromkeys(soak_verdict.NEVER, 0), "accepted": 3, "closed_peer_closed": 2, "closed_reset": 1,
            "bytes_received": 300, "bytes_sent": 250, "datagrams_received": 9, "datagrams_echoed": 7,
            "datagrams_dropped_own_port": 2, "datagram_queue_dropped": 4, **changes}


def clients(**changes: object) -> Tally:
    tally = Tally(connections=Counter({kinds.WHOLE: 2, kinds.CUT: 1}), sent=Counter({kinds.WHOLE: 200, kinds.CUT: 150}),
                  received=Counter({kinds.WHOLE: 200, kinds.CUT: 20}), datagrams_sent=13, datagrams_received=5,
                  datagrams_dropped=2)
    for name, value in changes.items():
        setattr(tally, name, value)
    return tally


class RestTest(unittest.TestCase):
    def judge(self, tally: Tally, values: dict[str, int], more: list[str] | None = None,
              without: int | None = None) -> str:
        log = DaemonLog(Path("none"), ("full on ",))
        said = lines(kinds.WHOLE, 100, 100, "peer_closed") * 2 + lines(kinds.CUT, 100, 50, "reset") + (more or [])
        for number, line in enumerate(said):
            if number != without:
                log.take(line)
        self.log = log
        return "; ".join(soak_verdict.judge_rest(log, values, tally, tally.connections))

    def test_what_agrees_is_good(self):
        self.assertEqual(self.judge(clients(), counters()), "")

    def test_a_missing_line_is_found(self):
        for without in (0, 1, 5):
            self.assertIn("open lines", self.judge(clients(), counters(), without=without))

    def test_a_connection_that_is_counted_twice_or_never_is_found(self):
        self.assertIn("accepted=4", self.judge(clients(), counters(accepted=4)))
        self.assertIn("the sum of closed_* is 2", self.judge(clients(), counters(closed_peer_closed=1)))
        self.assertIn("4 connections", self.judge(
            clients(connections=Counter({kinds.WHOLE: 3, kinds.CUT: 1})), counters()))

    def test_bytes_that_went_astray_are_found(self):
        for received in (199, 201):
            self.assertIn("200 bytes sent, in=200, out=200", self.judge(
                clients(received=Counter({kinds.WHOLE: received, kinds.CUT: 20})), counters()))
        self.assertIn("51 received", self.judge(
            clients(received=Counter({kinds.WHOLE: 200, kinds.CUT: 51})), counters()))
        self.assertIn("bytes_sent=251", self.judge(clients(), counters(bytes_sent=251)))
        self.assertIn("hash of all", self.judge(clients(sent_hash="a", received_hash="b"), counters()))

    def test_a_datagram_that_nobody_counted_is_found(self):
        self.assertIn("12 datagrams sent", self.judge(clients(datagrams_sent=12), counters()))
        self.assertEqual("", self.judge(clients(datagrams_sent=14), counters()))  # Two of them were in a train.
        lossless = {"datagram_queue_dropped": 0}
        self.assertEqual("", self.judge(clients(datagrams_sent=9), counters(**lossless)))
        self.assertIn("10 datagrams sent", self.judge(clients(datagrams_sent=10), counters(**lossless)))
        self.assertIn("datagrams_received=8", self.judge(clients(), counters(datagrams_received=8)))
        self.assertIn("and 1 dropped", self.judge(clients(), counters(datagrams_dropped_own_port=1)))
        self.assertIn("but 6 came back and 2 were", self.judge(clients(datagrams_received=6), counters()))

    def test_a_reason_that_cannot_be_is_found(self):
        wrong = lines(kinds.WHOLE, 0, 0, "idle_timeout")
        self.assertIn("reason=idle_timeout", self.judge(clients(), counters(), wrong))

    def test_a_timeout_that_was_not_logged_is_found(self):
        ended = Counter({kinds.IDLE: 1})
        self.assertIn("echod closed 1", self.judge(clients(ended_by_server=ended), counters()))

    def test_what_must_never_be_is_found(self):
        for name in soak_verdict.NEVER:
            self.assertIn(f"{name}=1", self.judge(clients(), counters(**{name: 1})))

    def test_strange_lines_are_kept(self):
        strange = [f"{HEAD}ERROR - disk full", "==1==ERROR: Addr"]
        self.judge(clients(), counters(), [f"{HEAD}WARNING - full on x", *strange])
        self.assertEqual(self.log.strange, strange)
        self.assertEqual(self.log.complaints.total(), 1)


class AdminTest(unittest.TestCase):
    def setUp(self) -> None:
        self.counters = {**dict.fromkeys(soak_verdict.SAMPLES, 7), "closed_reset": 1, "connections": 0}
        self.status = {"accepted": 7, "closed_reset": 1}
        lines = ["# TYPE a counter", *(f"{name} 7" for name in soak_verdict.SAMPLES.values()),
                 'echod_connections_closed_total{reason="reset"} 1']
        self.samples = parse("\n".join(lines))

    def test_what_agrees_is_good(self):
        self.assertEqual(soak_verdict.judge_admin(self.samples, self.status, self.counters), [])

    def test_other_values_are_found(self):
        for name in (*soak_verdict.SAMPLES, "closed_reset"):
            self.assertIn(f"{name}=8", " ".join(
                soak_verdict.judge_admin(self.samples, self.status, {**self.counters, name: 8})))
        self.assertIn("/status has accepted=6", " ".join(
            soak_verdict.judge_admin(self.samples, {"accepted": 6}, self.counters)))

    def test_a_missing_sample_is_found(self):
        del self.samples["echod_echoes_total"]
        self.assertIn("echod_echoes_total None", " ".join(
            soak_verdict.judge_admin(self.samples, self.status, self.counters)))


class LogTest(unittest.TestCase):
    def test_every_line_is_read_once_across_rotations(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "network-server.log"
            said = lines(kinds.WHOLE, 1, 1, "peer_closed")
            log = DaemonLog(file, ())
            file.write_text(said[0][:30])
            log.read()
            with file.open("a") as stream:
                stream.write(said[0][30:] + "\n")
            log.read()
            old = log.rename()
            with old.open("a") as stream:  # echod writes to the old file until it gets SIGUSR1.
                stream.write(said[1] + "\n")
            file.write_text("\n".join(said) + "\n")
            log.finish(old)
            log.read()
            self.assertEqual((log.opened.total(), log.closed.total(), log.lines), (2, 2, 4))
            self.assertEqual(log.strange, [])


class MemoryTest(unittest.TestCase):
    def test_a_slope_is_of_an_hour(self):
        self.assertAlmostEqual(soak_verdict.slope_kib([(0, 5), (1800, 55), (3600, 105)]), 100)
        self.assertEqual(soak_verdict.slope_kib([(7, 5)]), 0)

    def test_a_leak_of_four_bytes_for_each_of_200_connections_a_second_is_found(self):
        rng = random.Random(1)
        rests = [(33.0 * number, 27_000 + rng.uniform(-40, 40)) for number in range(54)]
        self.assertEqual(soak_verdict.judge_memory(rests), [])
        leaking = [(seconds, kib + seconds * 200 * 4 / 1024) for seconds, kib in rests]
        self.assertIn("grows by", soak_verdict.judge_memory(leaking)[0])

    def test_what_grows_only_at_first_is_no_leak(self):
        rests = [(33.0 * number, 27_000 + 500 * min(number, 8)) for number in range(54)]
        self.assertEqual(soak_verdict.judge_memory(rests), [])

    def test_a_short_run_is_not_judged(self):
        self.assertEqual(soak_verdict.judge_memory([(0, 0), (10, 1000), (20, 2000), (30, 3000), (40, 4000)]), [])


class PlayTest(unittest.TestCase):
    def test_the_seed_decides_the_streams(self):
        first, again, other = ([kinds.draw(random.Random(f"{seed} {number}")) for number in range(300)]
                               for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_every_kind_comes_from_an_address_that_says_what_must_come_of_it(self):
        for kind in kinds.KINDS:
            for seed in range(50):
                plan = kind(random.Random(seed))
                self.assertIn(plan.source, soak_verdict.EXACT if plan.is_whole else soak_verdict.PARTS, plan)
                self.assertEqual(plan.source == kinds.STALLED, plan.ending is Ending.STALL)
                self.assertLessEqual(plan.end_at, plan.total)

    def test_configurations_differ(self):
        rng = random.Random(1)
        self.assertGreater(len({str(configs.in_place(rng)) for _ in range(20)}), 10)
        self.assertEqual({configs.bad(rng) for _ in range(200)}, {*configs.BAD})

    def test_each_upgrade_changes_keys_that_need_it(self):
        rng = random.Random(1)
        running = configs.BY_UPGRADE_AT_REST
        seen = set()
        for _ in range(100):
            wanted = configs.by_upgrade(rng, running)
            changed = {name for name in wanted if wanted[name] != running[name]}
            self.assertIn(len(changed), (1, 2))
            seen |= changed
            running = wanted
        self.assertEqual(seen, {*configs.BY_UPGRADE})


class ReloadsTest(unittest.TestCase):
    def judge(self, refusals: int = 2, **changes: int) -> str:
        done = Counter({"in_place": 5, "bad": 2, "upgrades": 3})
        values = {"reloads": 8, "reloads_refused": 2, "upgrades": 3, "upgrades_refused": 0, "upgrades_failed": 0}
        log = DaemonLog(Path("none"), (soak_verdict.REFUSED,))
        for _ in range(refusals):
            log.take(f"{HEAD}ERROR - {soak_verdict.REFUSED}, the running configuration is kept")
        return "; ".join(soak_verdict.judge_reloads(done, {**values, **changes}, log))

    def test_what_agrees_is_good(self):
        self.assertEqual(self.judge(), "")

    def test_other_counts_are_found(self):
        for name in ("reloads", "reloads_refused", "upgrades", "upgrades_refused", "upgrades_failed"):
            self.assertIn(f"{name}=9, expected", self.judge(**{name: 9}))
        self.assertIn("says 'reload: refused' 3 times, expected 2", self.judge(refusals=3))

    def test_another_process_is_found(self):
        text = "".join(f"{HEAD}INFO - started: echod 0.1.0, pid {pid}, time zone UTC\n" for pid in (7, 7, 8))
        self.assertIn("processes [7, 8], expected 7", soak_verdict.judge_process(text, 7, 2)[0])
        self.assertEqual(soak_verdict.judge_process(text.replace("pid 8", "pid 7"), 7, 2), [])
        self.assertIn("3 starts, expected 2", soak_verdict.judge_process(text.replace("pid 8", "pid 7"), 7, 1)[0])


if __name__ == "__main__":
    unittest.main()
