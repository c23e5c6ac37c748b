"""A relay between clients and a server that treats streams as badly as a network path may.

It delays, coalesces, throttles and stalls the bytes, splits them into small pieces, and cuts some streams. It does not
break TCP's promise: a stream that it does not cut arrives whole, its FIN comes after its last byte, and a reset is
passed on. It runs in its own process.

A client begins its stream with a GatePlan, which the gate removes. So the check of a stream knows what the gate did to
it, and the same plan repeats the same treatment.
"""

import heapq
import itertools
import multiprocessing
import select
import signal
import socket
import time
from collections import Counter
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from chaos_relay import GatePlan, Relay
from stream_sockets import connect

BACKLOG = 4096


class Gate:
    """The gate, as it runs in its own process.

    `sources`: the addresses that it connects from, for streams that it does not cut and for streams that it cuts.
    `control`: each word is answered with the counters; "stop" also ends the gate.
    """

    def __init__(self, listener: socket.socket, target: tuple[str, int], sources: tuple[str, str], control: Connection):
        self.listener = listener
        self.target = target
        self.sources = sources
        self.control = control
        self.relays: dict[int, Relay] = {}
        self.timers: list[tuple[float, int, Relay]] = []
        self.order = itertools.count()
        self.counts: Counter[str] = Counter()
        self.epoll = select.epoll()
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.epoll.register(control.fileno(), select.EPOLLIN)

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent process handles Ctrl-C.
        while True:
            timeout = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            events = self.epoll.poll(timeout)
            now = time.monotonic()
            for number, _ in events:
                if number == self.control.fileno():
                    if not self.answer():
                        self.close()
                        return
                elif number == self.listener.fileno():
                    self.accept()
                elif number in self.relays:
                    self.turn(self.relays[number], number, now)
            while self.timers and self.timers[0][0] <= now:
                relay = heapq.heappop(self.timers)[2]
                relay.timer = 0.0
                self.turn(relay, -1, now)

    def answer(self) -> bool:
        try:
            word = self.control.recv()
        except EOFError:
            return False
        self.control.send({**self.counts, "open": len(set(self.relays.values()))})
        return word != "stop"

    def close(self) -> None:
        self.listener.close()
        for relay in self.relays.values():
            relay.close()

    def accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counts["accepted"] += 1
        self.refresh(Relay(client), time.monotonic())

    def turn(self, relay: Relay, number: int, now: float) -> None:
        """`number`: the descriptor that has an event, or -1 if the timer expired."""
        try:
            if relay.client.fileno() == number and relay.plan is None:
                self.begin(relay)
            for side in [side for side in relay.drains if side.fileno() == number]:
                relay.drain(side)
            for pipe in relay.pipes:
                if pipe.source.fileno() == number and pipe.wants_read:
                    pipe.fill()
            for pipe in relay.pipes:
                pipe.pump(now)
        except OSError:
            self.counts["resets_passed_on"] += 1
            relay.reset_all()
        self.refresh(relay, now)

    def begin(self, relay: Relay) -> None:
        try:
            got = relay.client.recv(GatePlan.LAYOUT.size - len(relay.header))
        except BlockingIOError:  # A stale event: it was for an earlier socket with the same descriptor.
            return
        relay.header += got
        if not got:
            relay.client.close()
        if len(relay.header) == GatePlan.LAYOUT.size:
            plan = GatePlan.unpack(relay.header)
            relay.open(connect(self.target, self.sources[plan.cuts]), plan)
            self.counts["cut_plans" if plan.cuts else "whole_plans"] += 1

    def refresh(self, relay: Relay, now: float) -> None:
        """Updates epoll and the timers to the state of the relay."""
        for pipe in relay.pipes:
            if pipe.is_cut:
                self.counts["cuts"] += 1
                self.count(relay)
                relay.cut()
                break
        if relay.pipes and all(pipe.has_ended for pipe in relay.pipes):
            self.count(relay)
            relay.close()
        wanted = {side.fileno(): relay.wants(side) for side in relay.sides if side.fileno() >= 0}
        for number in relay.masks.keys() - wanted.keys():  # Closed, so epoll has dropped it.
            del relay.masks[number]
            self.relays.pop(number, None)
        for number, mask in wanted.items():
            known = relay.masks.get(number, 0)
            self.relays[number] = relay
            if mask and not known:
                self.epoll.register(number, mask)
            elif mask and mask != known:
                self.epoll.modify(number, mask)
            elif known and not mask:
                self.epoll.unregister(number)
            relay.masks[number] = mask
        due = [pipe.sends_at for pipe in relay.pipes if pipe.queue and not pipe.is_blocked]
        if due and (not relay.timer or min(due) < relay.timer):
            relay.timer = min(due)
            heapq.heappush(self.timers, (relay.timer, next(self.order), relay))

    def count(self, relay: Relay) -> None:
        for name, pipe in zip(("up", "down"), relay.pipes):
            self.counts[f"bytes_{name}"] += pipe.passed
            self.counts[f"pieces_{name}"] += pipe.pieces


class ChaosGate:
    """Starts a gate to the server at `target` in its own process. For `sources` see Gate."""

    def __init__(self, target: tuple[str, int], sources: tuple[str, str] = ("127.0.0.1", "127.0.0.1")):
        self._control, theirs = multiprocessing.Pipe()
        with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
            listener.setblocking(False)
            self.address: tuple[str, int] = listener.getsockname()
            self._process = multiprocessing.Process(
                target=lambda: Gate(listener, target, sources, theirs).run(), daemon=True)
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def counts(self, word: str = "counts") -> Counter[str]:
        self._control.send(word)
        return Counter(self._control.recv())

    def stop(self) -> Counter[str]:
        """Ends the gate and its open streams; returns the counters."""
        counts = self.counts("stop")
        self._process.join()
        return counts
