"""Tests the chaos gate and the checked streams. Starts no daemon: the server is a plain echo in this process.

The gate must do to a stream what the plan says, and nothing else. A stream must notice a single wrong byte, a lost byte
and an early end.
"""

import math
import queue
import random
import select
import socket
import threading
import unittest
from collections.abc import Callable
from unittest import mock

from chaos_gate import ChaosGate
from chaos_relay import GatePlan
from checked_stream import Crowd, Ending, Plan, Stream
from echod_process import wait_until
from stream_sockets import connect, reset

PATIENCE_S = 60.0


def echo(connected: socket.socket) -> None:
    while got := connected.recv(65536):
        connected.sendall(got)


def lose_a_byte(connected: socket.socket) -> None:
    connected.sendall(connected.recv(65536)[1:])
    echo(connected)


def end_early(connected: socket.socket) -> None:
    connected.sendall(connected.recv(1))


def say_more(connected: socket.socket) -> None:
    echo(connected)
    connected.sendall(b"more")


def break_off(connected: socket.socket) -> None:
    connected.sendall(connected.recv(10))
    reset(connected)


class Server:
    """Runs `behaviour` on each connection, in its own thread, and then closes the connection."""

    def __init__(self, behaviour: Callable[[socket.socket], None]):
        self.behaviour = behaviour
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.resets = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connected,), daemon=True).start()

    def serve(self, connected: socket.socket) -> None:
        with connected:
            try:
                self.behaviour(connected)
            except OSError:
                self.resets += 1

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class GateTest(unittest.TestCase):
    def run_streams(self, plans: list[Plan], behaviour: Callable[[socket.socket], None] = echo,
                    patience_s: float = PATIENCE_S) -> list[Stream]:
        server = Server(behaviour)
        self.addCleanup(server.close)
        over: list[Stream] = []
        crowd = Crowd(over.append)
        with ChaosGate(server.address) as gate:
            for number, plan in enumerate(plans):
                address = gate.address if plan.gate else server.address
                crowd.add(Stream(str(number), plan, address, random.Random(number)))
            while crowd.streams:
                crowd.run_once(patience_s)
            wait_until("the gate to see them end", lambda: gate.counts()["open"] == 0)
            self.counts = gate.stop()
        self.server_resets = server.resets
        return over

    def errors(self, plan: Plan, behaviour: Callable[[socket.socket], None] = echo) -> str:
        return " ".join(stream.error for stream in self.run_streams([plan], behaviour))

    def test_what_is_not_cut_comes_back_whole_in_other_pieces(self):
        plans = [Plan("any", size, most=size or 1, gate=GatePlan(seed)) for seed, size in
                 enumerate([0, 1, 2, 300, 5000, 70_000, 300_000, 1_000_000] * 3)]
        streams = self.run_streams(plans)
        self.assertEqual([stream.error for stream in streams], [""] * len(plans))
        self.assertEqual(sum(stream.received for stream in streams), sum(plan.total for plan in plans))
        self.assertEqual(self.counts["bytes_up"], sum(plan.total for plan in plans))
        self.assertGreater(self.counts["pieces_up"], 10 * len(plans), "it splits")
        self.assertEqual(self.counts["whole_plans"], len(plans))

    def test_many_small_pieces_are_gathered_into_fewer(self):
        self.run_streams([Plan("any", 20_000, most=2, gate=GatePlan(seed)) for seed in range(4)])
        self.assertLess(self.counts["pieces_up"], 4 * 20_000 / 2)

    def test_one_wrong_byte_is_found(self):
        for at in (0, 1, 4999):
            self.assertIn("wrong bytes", self.errors(Plan("any", 5000, gate=GatePlan(at, wrong_at=at))), f"byte {at}")

    def test_a_lost_byte_an_early_end_and_too_much_are_found(self):
        self.assertIn("wrong bytes", self.errors(Plan("any", 5000), lose_a_byte))
        self.assertIn("ended after 0 of 1", self.errors(Plan("any", 1), lose_a_byte))
        self.assertIn("wrong bytes", self.errors(Plan("any", 5000), say_more))
        self.assertRegex(self.errors(Plan("any", 100_000, most=100_000, gate=GatePlan(1)), end_early), "ended|RESET")

        self.assertIn("wrong bytes", self.errors(Plan("any", 5000, is_even=True, reads_less=True), lose_a_byte))

    def test_a_stream_that_does_not_read_notices_the_end_of_the_server(self):
        self.assertRegex(self.errors(Plan("any", 5000, reads_after_s=math.inf), end_early), "ended|RESET")

    def test_the_parting_words_come_after_the_end_of_the_server(self):
        heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        def end_and_listen(connected: socket.socket) -> None:
            connected.sendall(connected.recv(10))
            connected.shutdown(socket.SHUT_WR)
            heard.put(connected.recv(10))

        plan = Plan("any", 10, least=10, ending=Ending.SILENCE, parting=b"goodbye")
        self.assertEqual(self.errors(plan, end_and_listen), "")
        self.assertEqual(heard.get(timeout=PATIENCE_S), b"goodbye")

    def test_a_byte_that_never_comes_is_found(self):
        done = threading.Event()
        self.addCleanup(done.set)

        def keep_a_byte(connected: socket.socket) -> None:
            connected.sendall(connected.recv(65536)[:-1])
            done.wait()

        stream, = self.run_streams([Plan("any", 10, least=10)], keep_a_byte, patience_s=2)
        self.assertIn("no progress for 2 s after 9 of 10", stream.error)

    def test_a_reset_is_passed_on(self):
        self.assertIn("ECONNRESET after", self.errors(Plan("any", 5000, gate=GatePlan(7)), break_off))
        self.assertEqual(self.counts["resets_passed_on"], 1)
        self.errors(Plan("any", 500_000, ending=Ending.RESET, end_at=1000, gate=GatePlan(8)))
        self.assertEqual(self.counts["resets_passed_on"], 1)

    def test_every_kind_of_cut_leaves_a_right_beginning(self):
        plans = [Plan("any", 300_000, gate=GatePlan(1, cut_at, *(bool(kind & bit) for bit in (1, 2, 4))))
                 for kind in range(8) for cut_at in (0, 1, 1000, 100_000)]
        streams = self.run_streams(plans)
        self.assertEqual([stream.error for stream in streams], [""] * len(plans))
        self.assertEqual(self.counts["cuts"], len(plans))
        for stream in streams:
            assert stream.plan.gate
            self.assertLessEqual(stream.received, stream.plan.gate.cut_at)
        self.assertGreater(sum(stream.received for stream in streams), 0)

    def test_a_reset_before_a_stream_could_end_its_side_is_found(self):
        is_connected = threading.Event()

        def connect_and_wait(*arguments) -> socket.socket:
            connected = connect(*arguments)
            is_connected.set()
            errors = select.poll()
            errors.register(connected, 0)
            errors.poll()
            return connected

        def reset_then(connected: socket.socket) -> None:
            is_connected.wait()
            reset(connected)

        with mock.patch("checked_stream.connect", connect_and_wait):
            self.assertIn("ENOTCONN", self.errors(Plan("any", 0), reset_then))

    def test_wrong_bytes_before_a_cut_are_found_too(self):
        gate = GatePlan(1, cut_at=1000, cuts_downstream=True, wrong_at=500)
        self.assertIn("wrong bytes", self.errors(Plan("any", 100_000, gate=gate)))


if __name__ == "__main__":
    unittest.main()
