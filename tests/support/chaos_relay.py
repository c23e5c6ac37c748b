"""One stream through the chaos gate: its plan (GatePlan), one direction (Pipe), and both directions (Relay)."""

import random
import select
import socket
import struct
from dataclasses import dataclass
from typing import ClassVar

from stream_sockets import reset

ROOM_BYTES = 64 * 1024  # The most that one direction buffers; while it is full, its source is not read.
STYLES = ("plain", "split", "delay", "coalesce", "throttle", "stall")


@dataclass(frozen=True)
class GatePlan:
    """What the gate does to a stream.

    `seed` decides the sizes and delays of the pieces. `cut_at`: the gate ends both sides after this many bytes, in the
    direction to the client (`cuts_downstream`) or to the server. It ends each side by a reset (`resets_server`,
    `resets_client`) or else by a FIN. `wrong_at`: the gate changes this byte on the way back. -1 means never.
    """

    seed: int
    cut_at: int = -1
    cuts_downstream: bool = False
    resets_server: bool = False
    resets_client: bool = False
    wrong_at: int = -1

    LAYOUT: ClassVar = struct.Struct("!Qq???q")

    @property
    def cuts(self) -> bool:
        return self.cut_at >= 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.seed, self.cut_at, self.cuts_downstream, self.resets_server, self.resets_client,
                                self.wrong_at)

    @classmethod
    def unpack(cls, data: bytes) -> "GatePlan":
        return cls(*cls.LAYOUT.unpack(data))


class Pipe:
    """One direction of a relay. `cut_at` and `wrong_at` are as in GatePlan, -1 for never."""

    def __init__(self, source: socket.socket, sink: socket.socket, rng: random.Random, cut_at: int, wrong_at: int):
        self.source = source
        self.sink = sink
        self.rng = rng
        self.cut_at = cut_at
        self.wrong_at = wrong_at
        self.queue = bytearray()
        self.read = 0
        self.passed = 0
        self.pieces = 0
        self.has_end = False  # A FIN was read.
        self.has_ended = False  # The FIN was passed on.
        self.is_blocked = False  # The last send would have blocked.
        self.sends_at = 0.0
        self.style = "plain"
        self.left = 0  # Bytes until the style changes.
        self.gathers = 0
        self.is_armed = False  # The wait that the style asks for has begun.

    @property
    def is_cut(self) -> bool:
        return 0 <= self.cut_at <= self.passed

    @property
    def wants_read(self) -> bool:
        return not self.has_end and len(self.queue) < ROOM_BYTES

    def fill(self) -> None:
        try:
            got = self.source.recv(ROOM_BYTES)
        except BlockingIOError:
            return
        if not got:
            self.has_end = True
        at = self.wrong_at - self.read
        self.read += len(got)
        self.queue += got
        if 0 <= at < len(got):
            self.queue[at - len(got)] ^= 1

    def begin_style(self) -> None:
        self.style = self.rng.choice(STYLES)
        self.is_armed = False
        if self.style == "split":
            self.left = self.rng.randint(1, 300)
        elif self.style == "stall":
            self.left = 1
        else:
            self.left = self.rng.randint(1, 256 * 1024)
        self.gathers = self.rng.randint(2, 32 * 1024)

    def is_gathered(self) -> bool:
        return self.style == "coalesce" and (len(self.queue) >= self.gathers or self.has_end)

    def waits(self, now: float, seconds: float) -> bool:
        """Returns whether the next piece has to wait. The first call starts the wait."""
        if not self.is_armed:
            self.is_armed = True
            self.sends_at = now + seconds
            return True
        self.is_armed = False
        return False

    def next_piece(self, now: float) -> int:
        """Returns how many bytes to send now; 0 if none before `sends_at`."""
        if self.left <= 0:
            self.begin_style()
        if self.style == "split":
            return min(self.left, self.rng.randint(1, 3))
        if self.style == "delay":
            return 0 if self.waits(now, self.rng.uniform(0, 0.02)) else min(self.left, 16 * 1024)
        if self.style == "coalesce":
            return 0 if not self.is_gathered() and self.waits(now, 0.03) else self.left
        if self.style == "throttle":
            size = self.rng.randint(256, 8192)
            return 0 if self.waits(now, self.rng.uniform(0.0005, 0.002)) else min(self.left, size)
        if self.style == "stall":
            return 0 if self.waits(now, self.rng.uniform(0.02, 0.3)) else 1
        return self.left

    def pump(self, now: float) -> None:
        """Sends the pieces that are due."""
        self.is_blocked = False
        while self.queue and not self.is_cut and (now >= self.sends_at or self.is_gathered()):
            size = self.next_piece(now)
            if self.cut_at >= 0:
                size = min(size, self.cut_at - self.passed)
            if size == 0:
                return
            try:
                sent = self.sink.send(self.queue[:size])
            except BlockingIOError:
                self.is_blocked = True
                return
            del self.queue[:sent]
            self.passed += sent
            self.left -= sent
            self.pieces += 1
        if self.has_end and not self.queue and not self.has_ended and not self.is_cut:
            self.has_ended = True
            self.sink.shutdown(socket.SHUT_WR)


class Relay:
    """A client's connection, the connection to the server for it, and both directions between them."""

    def __init__(self, client: socket.socket):
        self.client = client
        self.server: socket.socket | None = None
        self.header = b""
        self.plan: GatePlan | None = None
        self.pipes: list[Pipe] = []  # To the server, and to the client.
        self.drains: set[socket.socket] = set()  # Sides that were cut by a FIN: what they still send is dropped.
        self.masks: dict[int, int] = {}
        self.timer = 0.0

    def open(self, server: socket.socket, plan: GatePlan) -> None:
        self.server = server
        self.plan = plan
        rng = random.Random(plan.seed)
        self.pipes = [
            Pipe(self.client, server, random.Random(rng.random()), -1 if plan.cuts_downstream else plan.cut_at, -1),
            Pipe(server, self.client, random.Random(rng.random()), plan.cut_at if plan.cuts_downstream else -1,
                 plan.wrong_at)]

    def wants(self, side: socket.socket) -> int:
        if not self.pipes or side in self.drains:
            return select.EPOLLIN
        mask = 0
        for pipe in self.pipes:
            mask |= select.EPOLLIN if pipe.source is side and pipe.wants_read else 0
            mask |= select.EPOLLOUT if pipe.sink is side and pipe.is_blocked else 0
        return mask

    def end_side(self, side: socket.socket, by_reset: bool) -> None:
        if by_reset:
            reset(side)
            return
        try:
            side.shutdown(socket.SHUT_WR)
            self.drains.add(side)
        except OSError:  # The peer has closed it already.
            side.close()

    def cut(self) -> None:
        assert self.server is not None and self.plan is not None
        self.pipes.clear()
        self.drains.clear()
        self.end_side(self.server, self.plan.resets_server)
        self.end_side(self.client, self.plan.resets_client)

    def drain(self, side: socket.socket) -> None:
        try:
            if side.recv(ROOM_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.drains.discard(side)
        side.close()

    @property
    def sides(self) -> list[socket.socket]:
        return [side for side in (self.client, self.server) if side is not None]

    def close(self) -> None:
        self.pipes.clear()
        for side in self.sides:
            side.close()

    def reset_all(self) -> None:
        self.pipes.clear()
        self.drains.clear()
        for side in self.sides:
            reset(side)
