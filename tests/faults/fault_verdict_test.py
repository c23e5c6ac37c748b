"""Tests fault_verdict.py: it finds each kind of damage. Starts no daemon."""

import random
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

from fault_table import CLASSES, SILENT, TABLE, Fault, faults_of
from fault_verdict import Bounds, Injected, judge
from records import Record
from scenario import CHECK, FIRST, NEXT, Run
from torture import Case, arguments, positions

BOUNDS = Bounds(calls=1000, cpu_s=0.1)
LINE = "2026-11-21 02:50:20,123 - network-server - INFO - "
SERVED = f"{LINE}started: echod 0.1.0, pid 1\n{LINE}stopped: 1 connections served\n"
RESET = Injected("recv", "echod::sys::receive", Fault("fail", "ECONNRESET"))


def served(**changes) -> Run:
    run = Run(status=0, has_served=True, text=SERVED + "close reason=reset (Connection reset by peer)\n",
              stderr=SERVED, record=Record(calls=900, faults=1, peer_port=1001), cpu_s=0.1)
    return SimpleNamespace(**{**run.__dict__, **changes})


def refused(**changes) -> Run:
    said = "echod: cannot listen: Connection reset by peer\n"
    return SimpleNamespace(**{**Run(status=71, text=said, stderr=said).__dict__, **changes})


def client(port: int, error: str = "ended after 1 of 2 bytes") -> SimpleNamespace:
    return SimpleNamespace(port=port, error=error)


class VerdictTest(unittest.TestCase):
    def assert_finds(self, text: str, run, injected: Injected | None = RESET) -> None:
        self.assertIn(text, " ".join(judge(run, injected, BOUNDS)))

    def test_a_run_that_served_all_clients_is_good(self):
        self.assertEqual(judge(served(), RESET, BOUNDS), [])

    def test_a_refusal_that_says_why_is_good(self):
        self.assertEqual(judge(refused(), RESET, BOUNDS), [])

    def test_a_refusal_to_the_journal_is_the_line_that_is_an_error(self):
        said = "<6>limits: 40 connections\n<3>cannot listen: Connection reset by peer\n"
        self.assertEqual(judge(refused(text=said, stderr=said), RESET, BOUNDS), [])
        self.assert_finds("0 lines", refused(stderr="<6>limits: 40 connections\n"))

    def test_only_the_connection_that_was_hit_may_lose(self):
        self.assertEqual(judge(served(clients=[client(1001)]), RESET, BOUNDS), [])
        self.assert_finds("was not hit", served(clients=[client(1002)]))

    def test_a_transient_fault_may_not_cost_a_connection(self):
        interrupted = Injected("recv", "echod::sys::receive", Fault("fail", "EINTR"))
        self.assert_finds("was not hit", served(clients=[client(1001)]), interrupted)
        self.assert_finds("without a reason", refused(), interrupted)

    def test_allocations_may_cost_as_many_connections_as_are_counted(self):
        injected = Injected("operator new", "f")
        text = SERVED + "counters: closed_io_error=1\n"
        self.assertEqual(judge(served(clients=[client(1)], text=text), injected, BOUNDS), [])
        self.assert_finds("was not hit", served(clients=[client(1), client(2)], text=text), injected)

    def test_a_death_a_sanitizer_and_a_hang_are_found(self):
        self.assert_finds("ended with -11", served(status=-11))
        self.assert_finds("ended with -6", refused(status=-6))
        self.assert_finds("broken", served(text="ERROR: LeakSanitizer: detected memory leaks"))
        self.assert_finds("hung", served(hung="it does not end"))

    def test_clients_that_find_no_listener_after_an_upgrade_are_told_why(self):
        text = SERVED + "upgrade: cannot listen on [::]:2003: epoll_ctl: Connection reset by peer; reload to try again\n"
        run = served(hung="a client could not connect", first_of_upgrade=100, text=text)
        self.assertEqual(judge(run, RESET, BOUNDS), [])
        self.assert_finds("hung", served(hung="a client could not connect", text=text))

    def test_leaks_of_descriptors_and_spinning_are_found(self):
        self.assert_finds("leaked", served(leaked="socket"))
        self.assert_finds("spins", served(record=Record(calls=10_000)))
        self.assert_finds("spins", served(cpu_s=3.0))

    def test_a_fault_that_is_not_reported_is_found(self):
        self.assert_finds("not reported", served(text=SERVED))
        self.assertEqual(judge(served(text=SERVED + "accept_errors=1"), RESET, BOUNDS), [])

    def test_a_refusal_of_no_line_or_another_is_found(self):
        self.assert_finds("0 lines", refused(stderr=""))
        self.assert_finds("does not say", refused(stderr="echod: it is no use\n"))

    def test_an_admin_thread_that_does_not_answer_is_found(self):
        self.assert_finds("the admin thread: no answer", served(admin_faults=["no answer"]))
        interrupted = Injected("recv", "echod::HttpConnection::receive", Fault("fail", "EINTR"))
        for injected in (None, interrupted):
            self.assert_finds("did not answer 1 requests", served(admin_retries=1), injected)
        self.assertEqual(judge(served(admin_retries=1), RESET, BOUNDS), [])

    def test_a_reload_without_an_end_is_found(self):
        self.assert_finds("no READY=1", served(messages=["READY=1", "RELOADING=1\nMONOTONIC_USEC=1"]))


class UpgradeTest(unittest.TestCase):
    NO_SPACE = Injected("pwrite", "echod::sys::MemoryFile::write", Fault("fail", "ENOSPC"))
    TEXT = SERVED + f"{LINE}upgrade: pwrite: No space left on device\n"

    def judge(self, injected: Injected | None, counters: str, **changes: object) -> str:
        run = served(text=f"{self.TEXT}{LINE}counters: {counters}\n", first_of_upgrade=100, **changes)
        return "; ".join(judge(run, injected, BOUNDS))

    def test_one_that_is_refused_must_be_counted_and_a_later_one_done(self):
        self.assertEqual(self.judge(self.NO_SPACE, "upgrades=1 reloads_refused=1", refusals=1), "")
        self.assertIn("upgrades=0, expected 1", self.judge(self.NO_SPACE, "upgrades=0 reloads_refused=3", refusals=3))
        self.assertIn("reloads_refused=0", self.judge(self.NO_SPACE, "upgrades=1 reloads_refused=0", refusals=1))

    def test_none_may_be_refused_without_a_reason(self):
        interrupted = Injected("pwrite", "echod::sys::MemoryFile::write", Fault("fail", "EINTR"))
        for injected in (None, interrupted):
            self.assertIn("refused without a reason",
                          self.judge(injected, "upgrades=1 reloads_refused=1", refusals=1))

    def test_only_the_next_program_may_end_and_it_says_why(self):
        said = f"{SERVED}echod: mmap: No space left on device\n"
        ended = {"status": 71, "text": said, "stderr": said, "clients": [client(1)], "first_of_upgrade": 100}
        for program in (FIRST, CHECK):
            hit = Injected("mmap", "echod::sys::MemoryMap", Fault("fail", "ENOSPC"), program)
            self.assertIn("ended with 71", " ".join(judge(served(**ended), hit, BOUNDS)))
        hit = Injected("mmap", "echod::sys::MemoryMap", Fault("fail", "ENOSPC"), NEXT)
        self.assertEqual(judge(served(**ended), hit, BOUNDS), [])
        self.assertIn("0 lines", " ".join(judge(served(**{**ended, "stderr": SERVED}), hit, BOUNDS)))

    def test_the_records_of_all_programs_are_added_up(self):
        first, next_one = Record(calls=3, allocations=5, paths={(1,): 2}), Record(calls=4, faults=1, peer_port=7,
                                                                                   paths={(1,): 1, (2,): 3})
        total = Record.total([first, next_one])
        self.assertEqual((total.calls, total.allocations, total.faults, total.peer_port), (7, 5, 1, 7))
        self.assertEqual(total.paths, {(1,): 3, (2,): 3})

    def test_a_plan_names_its_program(self):
        self.assertEqual(Case("upgraded", "n", 5, program=CHECK).plan, "program 2 allocation 5 1")


class TableTest(unittest.TestCase):
    def test_every_fault_is_of_a_class(self):
        for entries in TABLE.values():
            for _, faults in entries:
                for fault in faults:
                    self.assertIn(fault.kind, CLASSES)

    def test_every_call_ends_with_an_entry_for_all_functions(self):
        for call, entries in TABLE.items():
            self.assertEqual(entries[-1][0], "", call)
            self.assertIsInstance(faults_of(call, "any function"), list)

    def test_what_is_silent_has_a_reason(self):
        self.assertTrue(all(reason for _, _, reason in SILENT))

    def test_positions_are_the_first_the_middle_the_last_and_some(self):
        chosen = positions(100, random.Random(1), 2)
        self.assertTrue({1, 50, 100} <= set(chosen))
        self.assertEqual(positions(1, random.Random(1), 2), [1])

    def test_only_a_whole_run_must_reach_every_call_unless_it_is_asked_to(self):
        for words, must in (("", True), ("--sample 40", False), ("--only recv", False), ("--sample 40 --reach-all", True)):
            self.assertEqual(arguments(["--build", "b", *words.split()]).reach_all, must, words)


if __name__ == "__main__":
    unittest.main()
