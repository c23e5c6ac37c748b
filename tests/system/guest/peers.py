"""Clients of the echo service."""

import array
import ctypes
import fcntl
import os
import socket
import termios
import threading
import time

from guest_commands import Failure, expect, read, wait_until

TIMEOUT_S = 20


def connect(port=2003, host="127.0.0.1"):
    """`port` is a number, or the path of a UNIX socket."""
    if isinstance(port, str):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(TIMEOUT_S)
        peer.connect(port)
        return peer
    return socket.create_connection((host, port), timeout=TIMEOUT_S)


def receive_to_end(peer):
    parts = []
    while part := peer.recv(65536):
        parts.append(part)
    return b"".join(parts)


def echo(port=2003, host="127.0.0.1", data=b"hello\n"):
    """Sends data, half-closes, and expects the same data and then the end of the stream."""
    with connect(port, host) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        expect(receive_to_end(peer) == data, f"port {port} of {host} did not send back what it was sent")


def ping(peer, data=b"ping"):
    """Sends data on an open connection and expects it back."""
    peer.sendall(data)
    got = b""
    while len(got) < len(data):
        part = peer.recv(len(data) - len(got))
        expect(part, "the connection was closed")
        got += part
    expect(got == data, "other bytes came back")


def datagram_peer(port=2003, host="127.0.0.1"):
    """Returns a socket that gets datagrams from this address and port only."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(TIMEOUT_S)
    peer.connect((host, port))
    return peer


def echo_datagram(peer, data):
    peer.send(data)
    expect(peer.recv(65536) == data, "another datagram came back")


def is_refused(port=2003):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def expect_silence(peer, what):
    """Expects neither bytes nor the end of the stream: the connection is not accepted yet."""
    peer.settimeout(0.5)
    try:
        peer.recv(1)
    except TimeoutError:
        peer.settimeout(TIMEOUT_S)
        return
    raise Failure(what)


def unacknowledged(peer):
    """How many sent bytes the other side has not acknowledged yet."""
    left = array.array("i", [0])
    fcntl.ioctl(peer, termios.TIOCOUTQ, left)
    return left[0]


def send_until_blocked(peer):
    """Sends a pattern without reading, until send() blocks for half a second. Returns the bytes that were sent."""
    sent = bytearray()
    block = bytes(i * 31 % 251 for i in range(65521))
    peer.settimeout(0.5)
    try:
        while len(sent) < 64 << 20:
            sent += block[:peer.send(block)]
    except TimeoutError:
        pass
    peer.settimeout(TIMEOUT_S)
    return bytes(sent)


class Load:
    """Clients that connect, echo and close, one after the other, until stop()."""

    def __init__(self, port=2003, clients=4, pause_s=0.001):
        self.port = port
        self.pause_s = pause_s
        self.echoed = 0
        self.cut = 0       # Ended without an echo: the service stopped while they were connected.
        self.failures = []
        self.lock = threading.Lock()
        self.is_stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def work(self):
        number = 0
        while not self.is_stopping.is_set():
            number += 1
            data = b"message %d of %d\n" % (number, threading.get_ident())
            try:
                with connect(self.port) as peer:
                    peer.sendall(data)
                    peer.shutdown(socket.SHUT_WR)
                    got = receive_to_end(peer)
                with self.lock:
                    self.echoed += got == data
                    self.cut += got == b""
                if got not in (data, b""):
                    self.failures.append(f"{got!r} instead of {data!r}")
            except OSError as error:
                self.failures.append(repr(error))
            time.sleep(self.pause_s)

    def wait_for(self, echoes):
        wanted = self.echoed + echoes
        wait_until(lambda: self.echoed >= wanted or self.failures, f"{echoes} more echoes", 60)

    def leave(self):
        """Ends the clients, even if some have failed."""
        self.is_stopping.set()
        for thread in self.threads:
            thread.join(2 * TIMEOUT_S)
            expect(not thread.is_alive(), "a client hangs")

    def stop(self, service_stops=0):
        """Ends the clients. None may have failed, and each stop of the service may have cut each client once."""
        self.leave()
        most = service_stops * len(self.threads)
        expect(self.cut <= most, f"{self.cut} connections got their end instead of an echo, at most {most} may")
        expect(not self.failures, f"{len(self.failures)} clients failed, the first: {(self.failures or [''])[0]}")


PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WAIT_ALL = 0x40000000  # __WALL


def thread_named(process, name):
    for task in os.listdir(f"/proc/{process}/task"):
        if read(f"/proc/{process}/task/{task}/comm") == name + "\n":
            return int(task)
    raise Failure(f"echod has no thread {name}")


def stop_thread(process, name):
    """Stops one thread of a process until it is killed. Returns the process id of the tracer, which ends with the
    thread."""
    thread = thread_named(process, name)
    reader, writer = os.pipe()
    tracer = os.fork()
    if tracer == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        libc.ptrace.restype = ctypes.c_long
        is_stopped = libc.ptrace(PTRACE_SEIZE, thread, None, None) == 0 and \
            libc.ptrace(PTRACE_INTERRUPT, thread, None, None) == 0 and os.waitpid(thread, WAIT_ALL)[0] == thread
        os.write(writer, b"1" if is_stopped else b"0")
        # Waits until the thread is killed with its process. The process remains until its tracer has waited for it.
        while is_stopped and os.WIFSTOPPED(os.waitpid(thread, WAIT_ALL)[1]):
            pass
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1)
    os.close(reader)
    expect(answer == b"1", f"cannot stop thread {name}")
    return tracer
