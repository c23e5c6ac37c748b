"""Helpers for stream sockets: connect from a chosen address or to a path, ask what has arrived, end a connection by a
reset, reserve a port.
"""

import fcntl
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

IP_BIND_ADDRESS_NO_PORT = 24  # See ip(7). connect(2) chooses the port, and may reuse one that is in TIME_WAIT.
CONNECT_S = 60.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # A linger time of 0.


def unconnected(source: str = "127.0.0.1", receive_buffer: int = 0) -> socket.socket:
    made = socket.socket()
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.bind((source, 0))
    except BaseException:
        made.close()
        raise
    return made


def connect(address: tuple[str, int], source: str = "127.0.0.1", receive_buffer: int = 0) -> socket.socket:
    """Returns a connected, non-blocking socket. Blocks until it is connected; on the same host that is at once."""
    connected = unconnected(source, receive_buffer)
    try:
        connected.settimeout(CONNECT_S)
        connected.connect(address)
        connected.setblocking(False)
    except BaseException:
        connected.close()
        raise
    return connected


def connect_local(path: str) -> socket.socket:
    """Returns a non-blocking UNIX socket that is connected to the path. Blocks while the server's backlog is full."""
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", round(CONNECT_S), 0))
        connected.connect(path)
        connected.setblocking(False)
    except BaseException:
        connected.close()
        raise
    return connected


def has_arrived(connected: socket.socket) -> bool:
    """Returns whether everything that was sent is in the receive queue of the other side."""
    left: int = struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(4)))[0]
    return left == 0


def reset(connected: socket.socket) -> None:
    """Closes the socket so that the other side gets an RST. No-op if it is closed."""
    if connected.fileno() >= 0:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        connected.close()


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserves a TCP port of 127.0.0.1. The kernel gives it to no other socket, but a program that sets SO_REUSEADDR, as
    echod and Prometheus do, can listen on it.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]
