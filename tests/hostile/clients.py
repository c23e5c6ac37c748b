"""Client sockets, and helpers to use them against a server."""

import random
import resource
import select
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import stream_sockets
from echod_process import PATIENCE_S, Broken, wait_until
from stream_sockets import has_arrived, reset

PORTS_OF_A_SOURCE = 10_000  # Less than the size of net.ipv4.ip_local_port_range.


def allow_descriptors() -> None:
    """Raises the soft limit of descriptors to the hard limit. The clients' sockets are in this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def source(number: int) -> str:
    """Returns the address that connection `number` comes from. Ports of closed connections are not free for a minute,
    so there must be several addresses.
    """
    return f"127.0.{1 + number // PORTS_OF_A_SOURCE % 250}.1"


def connect(port: int, number: int = 0) -> socket.socket:
    """Returns a connected socket whose calls block for at most PATIENCE_S."""
    made = stream_sockets.connect(("127.0.0.1", port), source(number))
    made.settimeout(PATIENCE_S)
    return made


def connect_many(port: int, count: int, receive_buffer: int = 0) -> list[socket.socket]:
    """Returns connected, non-blocking sockets."""
    return [stream_sockets.connect(("127.0.0.1", port), source(number), receive_buffer) for number in range(count)]


def begin_connect(port: int, number: int = 0) -> socket.socket:
    """Starts to connect and returns at once; the socket is non-blocking."""
    made = stream_sockets.unconnected(source(number))
    made.setblocking(False)
    made.connect_ex(("127.0.0.1", port))
    return made


def close_all(those: Iterable[socket.socket]) -> None:
    for one in those:
        one.close()


def receive(one: socket.socket, size: int) -> bytes:
    """Receives exactly `size` bytes from a socket with a timeout."""
    parts: list[bytes] = []
    while size > 0:
        part = one.recv(size)
        if not part:
            raise Broken(f"the stream ended {size} bytes too early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def echo(one: socket.socket, payload: bytes) -> None:
    one.sendall(payload)
    if receive(one, len(payload)) != payload:
        raise Broken(f"wrong bytes in an echo of {len(payload)}")


def ends_orderly(one: socket.socket, seconds: float = PATIENCE_S) -> bool:
    """Waits for the server's FIN. Returns false if bytes or a reset come instead. It may come a little late: echod
    counts a close before it closes.
    """
    one.settimeout(seconds)
    try:
        return one.recv(1) == b""
    except OSError:
        return False


def has_ended(one: socket.socket) -> bool:
    """Returns whether the server has closed or reset the connection, without reading from it."""
    poll = select.poll()
    poll.register(one, select.POLLRDHUP)
    return bool(poll.poll(0))


def send_until_full(one: socket.socket, data: bytes) -> int:
    """Sends `data` repeatedly until the non-blocking socket takes no more. Returns the number of bytes."""
    sent = 0
    try:
        while True:
            sent += one.send(data)
    except BlockingIOError:
        return sent


def wait_until_arrived(those: Sequence[socket.socket]) -> None:
    for one in those:
        wait_until("bytes to arrive", partial(has_arrived, one))


def kernel_count(protocol: str, name: str) -> int:
    """Returns a counter of this network namespace. For the names see /proc/net/netstat and /proc/net/snmp."""
    lines = [line.split() for file in ("netstat", "snmp")
             for line in Path(f"/proc/net/{file}").read_text("ascii").splitlines() if line.startswith(f"{protocol}:")]
    return int(lines[1][lines[0].index(name)])


def overflows() -> int:
    """Returns how many connections the kernel has dropped because an accept queue was full."""
    return kernel_count("TcpExt", "ListenOverflows")


class Stream:
    """Sends `data` in random pieces and checks the echo. It sends FIN after the last byte and ends at the server's FIN.

    `urgent`: the probability that a piece ends in an urgent byte. `reads`: the most bytes that one call reads.
    """

    def __init__(self, one: socket.socket, data: bytes, rng: random.Random, *, reads: int = 65536, urgent: float = 0.0):
        self.socket = one
        self.data = data
        self.rng = rng
        self.reads = reads
        self.urgent = urgent
        self.sent = 0
        self.received = 0
        self.calls = 0  # Sends and reads that moved bytes.
        self.urgent_sent = 0
        self.is_over = False
        if not data:
            one.shutdown(socket.SHUT_WR)

    @property
    def wants(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.sent < len(self.data) else 0)

    def turn(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            size = self.rng.randint(1, max(64, len(self.data) // 6))
            flags = socket.MSG_OOB if self.rng.random() < self.urgent else 0
            self.urgent_sent += flags != 0
            self.sent += self.socket.send(self.data[self.sent:self.sent + size], flags)
            self.calls += 1
            if self.sent == len(self.data):
                self.socket.shutdown(socket.SHUT_WR)
        if events & selectors.EVENT_READ:
            got = self.socket.recv(self.rng.randint(1, self.reads))
            self.calls += 1
            if got != self.data[self.received:self.received + len(got)]:
                raise Broken(f"wrong bytes at {self.received} of {len(self.data)}")
            self.received += len(got)
            if not got:
                if self.received != len(self.data):
                    raise Broken(f"the stream ended after {self.received} of {len(self.data)} bytes")
                self.socket.close()
                self.is_over = True


def run_streams(streams: Sequence[Stream], is_enough: Callable[[], bool] = lambda: False) -> None:
    """Runs the streams until all are over or `is_enough`. Raises Broken if none moves for PATIENCE_S."""
    left = len(streams)
    deadline = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.socket, stream.wants, stream)
        while left > 0 and not is_enough():
            ready = selector.select(0.1)
            if ready:
                deadline = time.monotonic() + PATIENCE_S
            elif time.monotonic() > deadline:
                raise Broken(f"{left} streams have stopped")
            for key, events in ready:
                ready_one: Stream = key.data
                wants = ready_one.wants
                ready_one.turn(events)
                if ready_one.is_over:
                    selector.unregister(key.fd)
                    left -= 1
                elif ready_one.wants != wants:
                    selector.modify(ready_one.socket, ready_one.wants, ready_one)
