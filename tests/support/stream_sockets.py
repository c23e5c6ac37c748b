"""What the standard library has no words for: connecting from a chosen address, asking what has arrived, and ending a
connection by a reset.
"""

import fcntl
import socket
import struct
import termios

IP_BIND_ADDRESS_NO_PORT = 24  # Of ip(7). The port is chosen by connect(2), which may take one that is in TIME_WAIT.
CONNECT_S = 60.0
LINGER_NOT = struct.pack("ii", 1, 0)


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
    """Blocks until the kernel has connected, which on the same host it does at once; the socket does not block."""
    connected = unconnected(source, receive_buffer)
    try:
        connected.settimeout(CONNECT_S)
        connected.connect(address)
        connected.setblocking(False)
    except BaseException:
        connected.close()
        raise
    return connected


def has_arrived(connected: socket.socket) -> bool:
    """What was sent is in the other side's receive queue."""
    left: int = struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(4)))[0]
    return left == 0


def reset(connected: socket.socket) -> None:
    """Closes it, so that the other side gets an RST; unless it is closed."""
    if connected.fileno() >= 0:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        connected.close()
