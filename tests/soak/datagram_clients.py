"""The UDP clients of a soak: sockets that send datagrams and trains of all sizes, and compare every answer.

A datagram may be lost. The soak then checks that echod or the kernel has counted it (soak_verdict.py).
"""

import hashlib
import random
import select
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

import kinds
from checked_stream import POOL, POOL_BYTES
from client_process import REPORT_S, Address, Tally

SOCKETS = 16
WINDOW = 8  # The most datagrams that a socket waits for.
PAUSE_S = 0.1  # The most between two sends of a socket.
LOST_AFTER_S = 3.0  # After so long a silence a socket waits no longer. A late answer is still compared.
SIZES = ((0, 64), (65, 1472), (1473, 9000), (9001, 65507))  # How likely each is: SIZE_WEIGHTS.
SIZE_WEIGHTS = (10, 10, 3, 1)
FLOOD_SHARE, FLOOD = 0.002, 1500  # A flood is more than fits into a receive buffer.
TRAIN_SHARE = 0.1
TRAIN_SIZES, TRAIN_LENGTHS = (100, 1200), (2, kinds.LONGEST_TRAIN)
UDP_SEGMENT = 103  # In linux/udp.h.
SO_MEMINFO, MEMINFO_DROPS = 55, 8  # In asm-generic/socket.h, linux/sock_diag.h.
RECEIVE_BUFFER = 1 << 20


class DatagramSocket:
    """One socket. It counts in `tally`."""

    def __init__(self, target: Address, rng: random.Random, tally: Tally):
        self._target = target
        self._rng = rng
        self._tally = tally
        self._unanswered: Counter[bytes] = Counter()  # Hashes of what was sent; lost ones stay.
        self._waits_for = 0
        self._sends_at = 0.0
        self._heard_at = time.monotonic()
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.bind((kinds.DATAGRAMS, 0))
        self.socket.setblocking(False)

    def send_if_due(self, now: float) -> None:
        if self._waits_for > 0 and now > self._heard_at + LOST_AFTER_S:
            self._waits_for = 0
        if now < self._sends_at or self._waits_for >= WINDOW:
            return
        self._sends_at = now + self._rng.uniform(0, PAUSE_S)
        if self._rng.random() < FLOOD_SHARE:
            for _ in range(FLOOD):
                self._send(self._rng.randint(0, 1000), 1)
        elif self._rng.random() < TRAIN_SHARE:
            self._send(self._rng.randint(*TRAIN_SIZES), self._rng.randint(*TRAIN_LENGTHS))
        else:
            sizes, = self._rng.choices(SIZES, SIZE_WEIGHTS)
            self._send(self._rng.randint(*sizes), 1)

    def _send(self, size: int, count: int) -> None:
        """Sends `count` datagrams, several as a train."""
        parts = [self._bytes(size) for _ in range(count)]
        self.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size if count > 1 else 0)
        with suppress(BlockingIOError):
            self.socket.sendto(b"".join(parts), self._target)
            self._note_sent(parts)

    def _note_sent(self, parts: Sequence[bytes]) -> None:
        if self._waits_for == 0:
            self._heard_at = time.monotonic()
        self._unanswered.update(map(digest, parts))
        self._waits_for += len(parts)
        self._tally.datagrams_sent += len(parts)

    def _bytes(self, size: int) -> bytes:
        begin = self._rng.randrange(POOL_BYTES - size)
        return POOL[begin:begin + size]

    def dropped(self) -> int:
        """Returns how many answers the kernel has dropped because this process did not read them in time."""
        return int(struct.unpack("9I", self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[MEMINFO_DROPS])

    def receive_all(self) -> str:
        """Reads what has come. Returns what is wrong with it, or ""."""
        wrong = ""
        while True:
            try:
                data, sender = self.socket.recvfrom(65536)
            except BlockingIOError:
                return wrong
            self._heard_at = time.monotonic()
            self._waits_for = max(0, self._waits_for - 1)
            self._tally.datagrams_received += 1
            found = digest(data)
            if self._unanswered[found] == 0 or sender != self._target:
                wrong = f"{len(data)} bytes from {sender} were not sent, or came back before"
            self._unanswered[found] -= 1
            if self._unanswered[found] <= 0:
                del self._unanswered[found]


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


class DatagramClients:
    """As they run in their own process. `control` gets words, as that of Clients: only after "load" it sends."""

    def __init__(self, seed: int, targets: Sequence[Address], control: Connection):
        rng = random.Random(f"{seed} datagrams")
        self.tally = Tally()
        self.control = control
        self.sockets = [DatagramSocket(rng.choice(targets), rng, self.tally) for _ in range(SOCKETS)]
        self.reports_at = 0.0

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent process handles Ctrl-C.
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        for one in self.sockets:
            poll.register(one.socket, select.POLLIN)
        while True:
            if self.control.poll():
                self.tally.state = self.control.recv()
                self.report()
            now = time.monotonic()
            for one in self.sockets:
                if self.tally.state == "load":
                    one.send_if_due(now)
                if wrong := one.receive_all():
                    self.tally.fail(f"datagrams: {wrong}")
            if now >= self.reports_at:
                self.report()
            poll.poll(10 if self.tally.state == "load" else 200)

    def report(self) -> None:
        self.reports_at = time.monotonic() + REPORT_S
        self.tally.datagrams_dropped = sum(one.dropped() for one in self.sockets)
        self.control.send(self.tally)
