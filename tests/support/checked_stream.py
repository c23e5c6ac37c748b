"""Clients of echod that check the echo: many streams in one thread.

Each stream is compared byte for byte as it comes, and by default also by hashes of all sent and all received bytes.
"""

import errno
import hashlib
import heapq
import itertools
import math
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from chaos_relay import GatePlan
from stream_sockets import connect, connect_local, reset

POOL_BYTES = 4 << 20
POOL = random.Random(1).randbytes(POOL_BYTES)
MOST_AT_ONCE = 128 * 1024  # The most that one turn sends or reads, so that the other streams do not wait long.


class Ending(Enum):
    """How a stream ends, and how much of the echo must have come by then."""

    HALF_CLOSE = "half_close"  # The client sends FIN after the last byte. Everything must come, then the server's FIN.
    SILENCE = "silence"  # The client stays silent. Everything must come, then the server's FIN (its idle timeout).
    STALL = "stall"  # The client does not read until the server ends the connection. Any part may come.
    RESET = "reset"  # The client sends RST when `end_at` bytes are back. Any part may come.
    CLOSE = "close"  # As RESET, but by close(2), whatever is still under way.


@dataclass(frozen=True)
class Plan:
    """What a stream does. The sizes of its chunks are between `least` and `most`, spread evenly on a log scale.

    A stream with `reads_after_s` = infinity reads when its `reads_at` is set, or when the server ends the connection.
    """

    kind: str
    total: int
    ending: Ending = Ending.HALF_CLOSE
    end_at: int = 0
    least: int = 1
    most: int = 64 * 1024
    is_even: bool = False  # The sizes are spread evenly, not on a log scale.
    urgent_share: float = 0.0  # The share of chunks that end in an urgent byte.
    waits_for_echo: bool = False  # A chunk is sent when the echo of the one before has come.
    send_pause_s: float = 0.0
    reads_after_s: float = 0.0
    read_most: int = MOST_AT_ONCE
    reads_less: bool = False  # Each read takes a random number of bytes up to `read_most`.
    read_pause_s: float = 0.0
    receive_buffer: int = 0
    source: str = "127.0.0.1"
    parting: bytes = b""  # Sent after the server's FIN.
    is_hashed: bool = True  # Without hashes, a stream is four times as fast.
    gate: GatePlan | None = None

    @property
    def is_whole(self) -> bool:
        """Returns whether every byte must come back."""
        return self.ending in (Ending.HALF_CLOSE, Ending.SILENCE) and not (self.gate and self.gate.cuts)


class Stream:
    """One connection. The bytes that it sends are random pieces of POOL.

    `where`: the server's address or path, or a socket that is connected to it and does not block. When the stream
    `is_over`, `error` says what was wrong, or is empty.
    """

    def __init__(self, name: str, plan: Plan, where: tuple[str, int] | str | socket.socket,
                 rng: random.Random):
        self.name = name
        self.plan = plan
        self.rng = rng
        self.total = plan.total
        self.ending = plan.ending
        self.chunk = (0, 0)  # The unsent rest of the current chunk: offset in the pool, and size.
        self.expected: deque[tuple[int, int]] = deque()  # What must come back next: offset in the pool, and size.
        self.sent = 0
        self.received = 0
        self.calls = 0  # Sends and reads that moved bytes.
        self.urgent_sent = 0
        self.sent_hash = hashlib.sha256()
        self.received_hash = hashlib.sha256()
        self.may_be_cut = False  # The server is stopping: its FIN may come early.
        self.timer_at = math.inf  # Used by Crowd.
        self.is_leaving = False
        self.is_shut = False
        self.is_over = False
        self.is_ended = False  # The server's FIN came, or a reset.
        self.error = ""
        if isinstance(where, socket.socket):
            self.socket = where
        elif isinstance(where, str):
            self.socket = connect_local(where)
        else:
            self.socket = connect(where, plan.source, plan.receive_buffer)
        self.number = self.socket.fileno()
        self.port: int = 0 if self.socket.family == socket.AF_UNIX else self.socket.getsockname()[1]
        if plan.gate:
            self.socket.sendall(plan.gate.pack())
        self.began = self.moved = time.monotonic()
        self.sends_at = self.began
        self.reads_at = math.inf if self.ending is Ending.STALL else self.began + plan.reads_after_s
        self.end_sending_if_connected()

    # Events and times to wait for.

    @property
    def has_to_send(self) -> bool:
        return self.sent < self.total and not self.is_shut and not (self.plan.waits_for_echo and self.expected)

    def wants(self, now: float) -> int:
        reads = select.EPOLLIN if now >= self.reads_at else 0
        sends = select.EPOLLOUT if self.has_to_send and now >= self.sends_at else 0
        # A stream that does not read needs RDHUP to learn of its end. One that only delays reading must not ask for it:
        # epoll is level-triggered here and would report it again and again.
        return reads | sends | (select.EPOLLRDHUP if self.reads_at == math.inf else 0)

    def wakes_at(self, now: float) -> float:
        """Returns when wants() changes by time alone; infinity if it waits only for the server."""
        times = [self.reads_at, self.sends_at if self.has_to_send else math.inf]
        return min((at for at in times if at > now), default=math.inf)

    # Sending and receiving.

    def turn(self, events: int, now: float) -> None:
        try:
            if events & select.EPOLLOUT:
                self.send(now)
            if self.reads_at == math.inf and events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                self.reads_at = now
            if not self.is_over and now >= self.reads_at and events & ~select.EPOLLOUT:
                self.receive(now)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(error)

    def send(self, now: float) -> None:
        offset, left = self.chunk
        if left == 0:
            unsent = self.total - self.sent
            most = min(self.plan.most, unsent)
            size = (min(self.rng.randint(self.plan.least, self.plan.most), unsent) if self.plan.is_even else
                    round(math.exp(self.rng.uniform(math.log(min(self.plan.least, most)), math.log(most)))))
            offset, left = self.rng.randrange(POOL_BYTES - size), size
        piece = memoryview(POOL)[offset:offset + min(left, MOST_AT_ONCE)]
        urgent = socket.MSG_OOB if self.plan.urgent_share and self.rng.random() < self.plan.urgent_share else 0
        sent = self.socket.send(piece, urgent)
        self.calls += 1
        self.urgent_sent += urgent != 0
        self.sent += sent
        self.moved = now
        if self.plan.is_hashed:
            self.sent_hash.update(piece[:sent])
        self.expected.append((offset, sent))
        self.chunk = (offset + sent, left - sent)
        if left == sent:
            self.sends_at = now + self.plan.send_pause_s
        self.end_sending()

    def end_sending(self) -> None:
        """Ends the stream, or its sending side, if enough bytes were sent or have come back."""
        if self.ending in (Ending.RESET, Ending.CLOSE):
            if self.received >= self.plan.end_at:
                self.end()
        elif self.sent >= self.total and self.ending is Ending.HALF_CLOSE and not self.is_shut:
            self.is_shut = True
            self.socket.shutdown(socket.SHUT_WR)

    def end_sending_if_connected(self) -> None:
        try:
            self.end_sending()
        except OSError as error:  # It was reset already.
            self.lose(error)

    def receive(self, now: float) -> None:
        most = self.plan.read_most
        got = self.socket.recv(self.rng.randint(1, most) if self.plan.reads_less else most)
        self.calls += 1
        self.moved = now
        if not got:
            if self.plan.parting:
                self.socket.send(self.plan.parting)
            self.judge_end()
            return
        if self.plan.is_hashed:
            self.received_hash.update(got)
        if not self.is_expected(got):
            self.end(f"wrong bytes among the {len(got)} from byte {self.received} of {self.sent} on")
            return
        self.received += len(got)
        if not self.is_leaving:
            self.reads_at = now + self.plan.read_pause_s
        self.end_sending()

    def is_expected(self, got: bytes) -> bool:
        at = 0
        while at < len(got):
            if not self.expected:
                return False
            offset, left = self.expected.popleft()
            size = min(left, len(got) - at)
            if not POOL.startswith(got[at:at + size], offset):
                return False
            if size < left:
                self.expected.appendleft((offset + size, left - size))
            at += size
        return True

    # The end.

    def lose(self, error: OSError) -> None:
        """Ends the stream after an error of send(2) or recv(2), such as a reset."""
        self.is_ended = True
        is_right = self.ending is Ending.STALL or (self.plan.gate and self.plan.gate.cuts)
        self.end("" if is_right else f"{errno.errorcode.get(error.errno or 0)} after {self.received} of {self.sent}")

    def judge_end(self) -> None:
        self.is_ended = True
        has_all = self.received == self.sent == self.total
        has_ended = self.is_shut or self.ending in (Ending.SILENCE, Ending.STALL)
        if self.may_be_cut or self.ending is Ending.STALL or (self.plan.gate and self.plan.gate.cuts):
            self.end()
        elif not has_all or not has_ended:
            self.end(f"ended after {self.received} of {self.sent} bytes")
        else:
            self.end("" if self.sent_hash.digest() == self.received_hash.digest() else "the hashes differ")

    def end(self, error: str = "") -> None:
        self.is_over = True
        self.error = error
        if self.ending is Ending.RESET:
            reset(self.socket)
        self.socket.close()

    def leave(self, now: float) -> None:
        """Ends the stream soon, in its own way. SILENCE would take long, so HALF_CLOSE replaces it."""
        self.is_leaving = True
        self.total = self.sent
        self.sends_at = self.reads_at = now
        if self.ending is Ending.SILENCE:
            self.ending = Ending.HALF_CLOSE
        if self.ending is Ending.HALF_CLOSE:
            self.end_sending_if_connected()
        else:
            self.end()


class Crowd:
    """Runs open streams. Calls `on_over` with each stream that has ended."""

    def __init__(self, on_over: Callable[[Stream], None]):
        self.on_over = on_over
        self.streams: dict[int, Stream] = {}
        self.masks: dict[int, int] = {}
        self.timers: list[tuple[float, int, Stream]] = []
        self.order = itertools.count()
        self.epoll = select.epoll()
        self.next_check_at = 0.0  # When to look for hanging streams again.

    def add(self, stream: Stream) -> None:
        self.streams[stream.number] = stream
        self.refresh(stream, time.monotonic())

    def run_once(self, patience_s: float, seconds: float = 1.0) -> None:
        """Waits for events for at most `seconds`. A stream that has not moved for `patience_s` ends with an error."""
        now = time.monotonic()
        if self.timers:
            seconds = min(seconds, max(0.0, self.timers[0][0] - now))
        events = self.epoll.poll(seconds)
        now = time.monotonic()
        for number, mask in events:
            stream = self.streams[number]
            stream.turn(mask, now)
            self.refresh(stream, now)
        while self.timers and self.timers[0][0] <= now:
            stream = heapq.heappop(self.timers)[2]
            if not stream.is_over:
                self.refresh(stream, now)
        if now >= self.next_check_at:
            self.next_check_at = now + 1.0
            for stream in [stream for stream in self.streams.values() if now - stream.moved > patience_s]:
                self.end(stream, f"no progress for {patience_s:g} s after {stream.received} of {stream.sent} bytes")

    def end(self, stream: Stream, error: str = "") -> None:
        """Ends the stream at once. No-op if it is over."""
        if not stream.is_over:
            stream.end(error)
            self.refresh(stream, time.monotonic())

    def leave(self) -> None:
        now = time.monotonic()
        for stream in [*self.streams.values()]:
            stream.leave(now)
            self.refresh(stream, now)

    def refresh(self, stream: Stream, now: float) -> None:
        """Updates epoll and the timers to the state of the stream."""
        number = stream.number
        if stream.is_over:  # Its socket is closed, so epoll has dropped it.
            del self.streams[number]
            self.masks.pop(number, None)
            self.on_over(stream)
            return
        mask, known = stream.wants(now), self.masks.get(number, 0)
        if mask != known:
            if not known:
                self.epoll.register(number, mask)
            elif mask:
                self.epoll.modify(number, mask)
            else:
                self.epoll.unregister(number)
            self.masks[number] = mask
        at = stream.wakes_at(now)
        if at != stream.timer_at and at != math.inf:
            heapq.heappush(self.timers, (at, next(self.order), stream))
        stream.timer_at = at
