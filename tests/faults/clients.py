"""Clients of echod that check the echo."""

import errno
import random
import select
import selectors
import socket
import time

import stream_sockets


class Client:
    """One connection. It sends `size` random bytes in random chunks, and checks what comes back.

    By default it sends FIN after the data and reads to the end. `reset_at`: it sends RST when this many bytes are back.
    `reads_late`: it does not read before `reads` is set. `stays`: it sends no FIN before the server's.
    """

    def __init__(self, port: int, rng: random.Random, size: int, *, reset_at: int | None = None,
                 reads_late: bool = False, stays: bool = False):
        self.data = rng.randbytes(size)
        self.rng = rng
        self.reset_at = reset_at
        self.reads = not reads_late
        self.stays = stays
        self.sent = 0
        self.received = 0
        self.is_over = False
        self.parting = b""  # Sent after the server's FIN.
        self.error = ""  # What was wrong with the echo.
        self.most = max(64, size // 6)
        self.socket = stream_sockets.connect(("127.0.0.1", port), receive_buffer=32 * 1024 if reads_late else 0)
        self.port = self.socket.getsockname()[1]
        self.finish()

    @property
    def wants(self) -> int:
        reads = selectors.EVENT_READ if self.reads else 0
        return reads | (selectors.EVENT_WRITE if self.sent < len(self.data) else 0)

    @property
    def has_all(self) -> bool:
        return self.received == len(self.data)

    @property
    def has_arrived(self) -> bool:
        """Returns whether the server's receive queue has got all the data, or the connection has ended."""
        poll = select.poll()
        poll.register(self.socket, 0)  # Only errors and hangups are reported.
        if poll.poll(0):
            return True
        return self.sent == len(self.data) and stream_sockets.has_arrived(self.socket)

    def end(self, error: str = "") -> None:
        if not self.is_over:
            self.is_over = True
            self.error = error
            self.socket.close()

    def reset(self) -> None:
        if not self.is_over:
            stream_sockets.reset(self.socket)
            self.end()

    def turn(self, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self.send()
            if events & selectors.EVENT_READ:
                self.receive()
        except OSError as error:
            self.end(f"{errno.errorcode.get(error.errno or 0)} after {self.received} of {len(self.data)} bytes")

    def send(self) -> None:
        chunk = self.data[self.sent:self.sent + self.rng.randint(1, self.most)]
        self.sent += self.socket.send(chunk)
        self.finish()

    def finish(self) -> None:
        if self.sent == len(self.data) and self.reset_at is None and not self.stays:
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self) -> None:
        got = self.socket.recv(65536)
        if self.data[self.received:self.received + len(got)] != got:
            self.end(f"wrong bytes at {self.received} of {len(self.data)}")
            return
        self.received += len(got)
        if self.reset_at is not None and self.received >= self.reset_at:
            self.reset()
        elif not got:
            if self.parting:
                self.socket.send(self.parting)
            self.end("" if self.has_all else f"ended after {self.received} of {len(self.data)} bytes")


def serve(clients: list[Client], is_done, give_up, seconds: float) -> None:
    """Runs the clients until `is_done`, until `give_up` (the daemon has ended), or for `seconds`.

    In the last two cases a client that still waits for its echo ends with an error.
    """
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        while not is_done():
            for client in clients:
                wants = 0 if client.is_over else client.wants
                known = selector.get_map().get(client.socket) if client.socket.fileno() >= 0 else None
                if known is None and wants:
                    selector.register(client.socket, wants, client)
                elif known is not None and not wants:
                    selector.unregister(client.socket)
                elif known is not None and known.events != wants:
                    selector.modify(client.socket, wants, client)
            for key, events in selector.select(0.05):
                client = key.data
                before = client.socket
                client.turn(events)
                if client.is_over:
                    selector.unregister(before)
            if give_up():
                break
            if time.monotonic() > deadline:
                break
    for client in clients:
        if not is_done() and not client.is_over and client.reads:
            client.end(f"{'the daemon ended' if give_up() else 'no progress'} after {client.received} of "
                       f"{len(client.data)} bytes")
