"""Sends requests to the admin socket or the admin port of an echod, good and bad ones, byte by byte if wanted."""

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

from echod_process import PATIENCE_S, Broken

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n")

Address = str | tuple[str, int]  # The path of the UNIX socket, or host and port.


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


def connect(address: Address, seconds: float = PATIENCE_S) -> socket.socket:
    """Returns a connected socket whose calls block for at most so many seconds."""
    made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    try:
        made.settimeout(seconds)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def request(target: str, method: str = "GET", host: str = "localhost") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def receive(connected: socket.socket) -> Answer:
    """Receives an answer to its end. Raises Broken if the connection ends before."""
    data = b""
    while part := connected.recv(65536):
        data += part
    head, separator, body = data.partition(b"\r\n\r\n")
    status = STATUS.match(head + b"\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if not separator or status is None or length is None or len(body) != int(length[1]):
        raise Broken(f"no whole answer, but {len(data)} bytes: {data[:200]!r}")
    if b"\r\nConnection: close" not in head:
        raise Broken(f"the answer does not say that the connection ends: {head!r}")
    return Answer(int(status[1]), body.decode("utf-8"))


def exchange(address: Address, data: bytes, seconds: float = PATIENCE_S) -> Answer:
    """Sends the bytes of a request and receives the answer. Raises Broken or OSError if none comes."""
    with connect(address, seconds) as connected:
        connected.sendall(data)
        return receive(connected)


def ask(address: Address, target: str, method: str = "GET", host: str = "localhost",
        seconds: float = PATIENCE_S) -> Answer:
    return exchange(address, request(target, method, host), seconds)
