"""Sends raw TCP segments and UDP datagrams, as port scanners and address spoofers do. Needs CAP_NET_RAW."""

import random
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
SCANS = {"SYN": SYN, "FIN": FIN, "NULL": 0, "XMAS": FIN | PSH | URG, "ACK": ACK, "all flags": 63}
TRANSPARENT = 19  # IP_TRANSPARENT in linux/in.h.
Endpoint = tuple[str, int]


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(source: Endpoint, target: Endpoint, flags: int, rng: random.Random, payload: bytes = b"") -> bytes:
    """Makes a segment with random sequence and acknowledgement numbers: the sender does not see the answers."""
    def header(check: int) -> bytes:
        return struct.pack("!HHIIBBHHH", source[1], target[1], sequence, acknowledged, 5 << 4, flags, 1024, check, 0)

    sequence, acknowledged = rng.randrange(2**32), rng.randrange(2**32)
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + struct.pack(
        "!BBH", 0, socket.IPPROTO_TCP, 20 + len(payload))
    return header(checksum(pseudo + header(0) + payload)) + payload


def datagram(source_port: int, target_port: int, payload: bytes) -> bytes:
    """Makes a UDP datagram without a checksum, which IPv4 allows."""
    return struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload


class Sender:
    """Sends from any address; the kernel does not check that it is a local one."""

    def __init__(self, source: str, protocol: int = socket.IPPROTO_TCP):
        self.source = source
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # Incoming packets are not read.
        self.socket.setsockopt(socket.IPPROTO_IP, TRANSPARENT, 1)
        self.socket.bind((source, 0))

    def send(self, port: int, target: Endpoint, flags: int, rng: random.Random, payload: bytes = b"") -> None:
        self.socket.sendto(segment((self.source, port), target, flags, rng, payload), (target[0], 0))

    def send_datagram(self, port: int, target: Endpoint, payload: bytes) -> None:
        """For a sender with IPPROTO_UDP."""
        self.socket.sendto(datagram(port, target[1], payload), (target[0], 0))

    def close(self) -> None:
        self.socket.close()
