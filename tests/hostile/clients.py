"""Client sockets, and helpers to use them against a server."""

import random
import resource
import select
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import stream_sockets
from checked_stream import Crowd, Plan, Stream
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


def open_stream(one: socket.socket, size: int, rng: random.Random, *, read_most: int = 65536,
                urgent_share: float = 0.0) -> Stream:
    """Returns a stream over a connected, non-blocking socket. It sends `size` bytes in random chunks, then FIN."""
    plan = Plan("whole", size, most=max(64, size // 6), is_even=True, urgent_share=urgent_share, read_most=read_most,
                reads_less=True)
    return Stream("", plan, one, rng)


def run_streams(streams: Iterable[Stream], is_enough: Callable[[], bool] = lambda: False) -> None:
    """Runs the streams that are open, until all are over or `is_enough`. Raises Broken if one ends with an error, or
    does not move for PATIENCE_S.
    """
    def judge(stream: Stream) -> None:
        if stream.error:
            raise Broken(stream.error)

    crowd = Crowd(judge)
    for stream in streams:
        if not stream.is_over:
            crowd.add(stream)
    while crowd.streams and not is_enough():
        crowd.run_once(PATIENCE_S, 0.1)
