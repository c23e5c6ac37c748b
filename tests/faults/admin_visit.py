"""An operator who uses the admin thread of an echod under faults.

A fault may cost a request: its connection ends without an answer, or the answer is 503. The same request is then sent
again, and must be answered.
"""

import socket
import time
from collections.abc import Callable

import admin_requests
import stream_sockets
from admin_requests import Address, Answer
from echod_process import Broken

TRIES = 25  # Each of 20 allocations that fail in a row may cost a request.
ANSWER_S = 8.0  # echod answers within 5 s, or ends the connection.
PAUSE_S = 0.02
TOO_LARGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nPadding: " + b"x" * 9000 + b"\r\n\r\n"
GARBAGE = b"\x16\x03\x01\x02\x00\x01 no HTTP\r\n\r\n"


class AdminVisit:
    """`port`: of the echo service. `is_running`: whether the daemon is; if not, nothing more is asked."""

    def __init__(self, path: str, tcp_port: int, port: int, is_running: Callable[[], bool]):
        self.path = path
        self.tcp: Address = ("127.0.0.1", tcp_port)
        self.port = port
        self.is_running = is_running
        self.retries = 0
        self.faults: list[str] = []

    def come(self) -> None:
        """Asks for everything that there is, while the daemon serves."""
        self.ask("/healthz", body="ok\n")
        self.ask("/readyz", body="ready\n")
        self.ask("/metrics", body="\nechod_connections{")
        self.ask("/status", body='"phase":"serving"')
        self.ask("/", body="</html>")
        self.ask("/connections?sort=owed&limit=7", body='"silent_workers":[]')
        self.close_one()
        self.ask("/log-level?stderr=error", "POST", body='"stderr_level":"error"')
        self.ask("/nothing", status=404, body="no such path: /nothing")
        self.send(GARBAGE, 400, "echod: ")
        self.send(TOO_LARGE, 431, "echod: ")
        self.ask("/healthz", address=self.tcp, body="ok\n")
        self.ask("/healthz", address=self.tcp, host="rebound.example", status=403, body="the Host must be")
        self.leave_early()

    def see_the_drain(self) -> None:
        self.ask("/healthz", body="ok\n")
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline and not self.is_draining():  # The stop may come a little later.
            time.sleep(PAUSE_S)
        self.ask("/readyz", status=503, body="draining\n")
        self.ask("/drain", "POST", status=202, body="draining")  # Counts as the same stop.

    def is_draining(self) -> bool:
        try:
            return admin_requests.ask(self.path, "/readyz", seconds=ANSWER_S).status == 503
        except (OSError, Broken):
            return False

    def ask(self, target: str, method: str = "GET", *, status: int = 200, body: str = "", host: str = "localhost",
            address: Address | None = None, also: int = 0) -> Answer | None:
        return self.send(admin_requests.request(target, method, host), status, body, address, also)

    def send(self, data: bytes, status: int, body: str, address: Address | None = None,
             also: int = 0) -> Answer | None:
        """Returns the answer, or None if there is none. Its status must be `status` or `also`."""
        found = ""
        deadline = time.monotonic() + 3 * ANSWER_S
        for attempt in range(TRIES):
            if not self.is_running():
                return None
            if time.monotonic() > deadline:
                break
            self.retries += attempt > 0
            try:
                answer = admin_requests.exchange(address or self.path, data, ANSWER_S)
            except (OSError, Broken) as error:
                found = f"{type(error).__name__}: {error}"
            else:
                found = f"status {answer.status}: {answer.body[:200]!r}"
                if answer.status == also or (answer.status == status and body in answer.body):
                    return answer
                if answer.status != 503:
                    break
            time.sleep(PAUSE_S)
        if self.is_running():
            self.faults.append(f"{data[:40]!r} was not answered with {status} and {body!r}: {found}")
        return None

    def close_one(self) -> None:
        """Connects a client of the echo service and has it closed. A fault may end it before."""
        for _ in range(TRIES):
            with stream_sockets.connect(("127.0.0.1", self.port)) as client:
                name = self.name_of(client)
                if name and self.close(client, name):
                    return
        if self.is_running():
            self.faults.append("no client could be closed")

    def close(self, client: socket.socket, name: str) -> bool:
        before = self.retries
        answer = self.ask(f"/connections/{name}", "DELETE", also=404)
        if answer and answer.status == 404 and self.retries == before:
            self.retries += 1  # The client was closed before.
        client.settimeout(ANSWER_S)
        try:
            return answer is not None and client.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def name_of(self, client: socket.socket) -> str:
        """Returns the ID of a connection, or nothing if it has ended."""
        peer = "{}:{}".format(*client.getsockname())
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline and self.is_running() and not ended(client):
            answer = self.ask("/connections", body='"connections":[')
            for one in answer.json()["connections"] if answer else []:
                if one["peer"].replace("[::ffff:", "").replace("]", "") == peer:
                    return str(one["id"])
            time.sleep(PAUSE_S)
        return ""

    def leave_early(self) -> None:
        """Ends connections before the request is complete, or before the answer is read."""
        for address, data in ((self.path, b"GET /met"), (self.tcp, b"GET /met"),
                              (self.tcp, admin_requests.request("/"))):
            try:
                with admin_requests.connect(address, ANSWER_S) as one:
                    one.sendall(data)
                    if not isinstance(address, str):
                        stream_sockets.reset(one)
            except OSError as error:
                if self.is_running():
                    self.faults.append(f"cannot connect to {address}: {error}")


def ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
