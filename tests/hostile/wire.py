"""A simulated wire between echod and clients. It can lose packets, be unplugged, and cut off some of the peers.

It is two network namespaces that are joined by a veth pair and filtered by nftables.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import clients
from echod_process import PATIENCE_S, Broken
from scenario_run import NotPossible

CLONE_NEWNET = 0x40000000  # In linux/sched.h.
SIOCETHTOOL = 0x8946  # In linux/sockios.h.
PACKAGES = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux"}
SERVER, HEALTHY, DOOMED = "192.0.2.1", "192.0.2.2", "192.0.2.3"  # RFC 5737: addresses that no host has.
BUFFER = 16384  # SO_RCVBUF and SO_SNDBUF of a client's socket; the kernel doubles it.
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int) -> None:
    if getattr(LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def open_namespace() -> int:
    """Returns a descriptor of this thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace without a name. The kernel removes it with the last process, socket or descriptor in it."""

    def __init__(self) -> None:
        before = open_namespace()
        try:
            call("unshare", CLONE_NEWNET)
            self._descriptor = open_namespace()
            call("setns", before, CLONE_NEWNET)
        finally:
            os.close(before)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Moves this thread into the namespace. Sockets and processes that it makes meanwhile stay there."""
        before = open_namespace()
        try:
            call("setns", self._descriptor, CLONE_NEWNET)
            yield
        finally:
            call("setns", before, CLONE_NEWNET)
            os.close(before)

    def run(self, *command: str, text: str = "") -> str:
        ended = subprocess.run(["nsenter", f"--net={self.path}", "--", *command], input=text, capture_output=True,
                               text=True, check=False)
        if ended.returncode != 0:
            raise Broken(f"{' '.join(command)}: {ended.stderr.strip()}")
        return ended.stdout

    def filter(self, name: str, rule: str, hook: str = "prerouting") -> None:
        """Adds a rule of nft(8) for arriving packets, such as "ip daddr 192.0.2.3 counter drop"."""
        try:
            self.run("nft", "-f", "-", text=f"table ip {name} {{\n chain arriving {{\n"
                     f" type filter hook {hook} priority 0\n {rule}\n }}\n}}\n")
        except Broken as refusal:
            raise NotPossible(f"nftables: {rule}: {refusal}") from refusal

    def filtered(self, name: str) -> int:
        """Returns how many packets the rule of that name has matched."""
        entries = json.loads(self.run("nft", "--json", "list", "table", "ip", name))["nftables"]
        counts = [part["counter"]["packets"] for entry in entries if "rule" in entry
                  for part in entry["rule"]["expr"] if "counter" in part]
        if len(counts) != 1:
            raise Broken(f"{len(counts)} counters in the table {name}")
        return counts[0]

    def resent(self) -> int:
        """Returns how many segments all its sockets have sent again."""
        with self.entered():
            return clients.kernel_count("Tcp", "RetransSegs")

    def close(self) -> None:
        os.close(self._descriptor)


class Wire:
    """A context manager that moves this thread to the server's end of a new wire.

    echod and the pinger, which are started inside the context, are at that end too. It also has 127.0.0.1, where no
    packet is lost. `rto_min_ms`: the minimum time before TCP sends a segment again; the kernel's default is 200.
    `keeps_trains`: what was sent as one, by TCP or as a train of datagrams, arrives as one.
    """

    def __init__(self, mtu: int = 1500, rto_min_ms: int = 200, keeps_trains: bool = False) -> None:
        self._inside = contextlib.ExitStack()
        self._segments = [] if keeps_trains else ["gso_max_segs", "1"]
        self._rto_min = f"{rto_min_ms}ms"
        for program, package in PACKAGES.items():
            if shutil.which(program) is None:
                raise NotPossible(f"{program} is missing: it is in the package {package}")
        try:
            self.server, self.clients = Namespace(), Namespace()
            self._lay(mtu)
        except (OSError, Broken) as error:
            raise NotPossible(f"two network namespaces and a wire between them: {error}") from error

    def _lay(self, mtu: int) -> None:
        self.server.run("ip", "link", "set", "lo", "up")
        self.server.run("ip", "link", "add", "wire", "mtu", str(mtu), "type", "veth",
                        "peer", "name", "wire", "mtu", str(mtu), "netns", self.clients.path)
        for end, addresses in ((self.server, [SERVER]), (self.clients, [HEALTHY, DOOMED])):
            for address in addresses:
                end.run("ip", "address", "add", f"{address}/24", "dev", "wire")
            # One segment per packet, as on a real wire. Otherwise a lost packet would be up to 64 KiB.
            end.run("ip", "link", "set", "wire", "up", *self._segments)
            self._set_route(end)

    def __enter__(self) -> Self:
        self._inside.enter_context(self.server.entered())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._inside.close()
        self.server.close()
        self.clients.close()

    def connect(self, port: int, source: str) -> socket.socket:
        """Connects from the clients' end, with small buffers. The packets of all connections must fit into the kernel's
        queue of each CPU (net.core.netdev_max_backlog); it drops the others, those of loopback too.
        """
        with self.clients.entered():
            made = socket.socket()
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind((source, 0))
        made.settimeout(PATIENCE_S)
        made.connect((SERVER, port))
        return made

    def open_datagrams(self) -> socket.socket:
        """Returns a UDP socket at the clients' end."""
        with self.clients.entered():
            made = socket.socket(type=socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * BUFFER)
        made.bind((HEALTHY, 0))
        return made

    def switch_offload(self, end: Namespace, feature: int, is_on: bool) -> None:
        """Switches an offload of the device at this end, as ethtool(8) does. `feature`: ETHTOOL_S... in linux/ethtool.h.
        """
        value = ctypes.create_string_buffer(struct.pack("II", feature, is_on))
        request = struct.pack("16sP16x", b"wire", ctypes.addressof(value))
        with end.entered(), socket.socket(type=socket.SOCK_DGRAM) as any_socket:
            try:
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)
            except OSError as error:
                raise NotPossible(f"ethtool: {error}") from error

    def unplug(self) -> None:
        self.server.run("ip", "link", "set", "wire", "down")

    def plug_in(self) -> None:
        self.server.run("ip", "link", "set", "wire", "up")
        self._set_route(self.server)

    def _set_route(self, end: Namespace) -> None:
        end.run("ip", "route", "change", "192.0.2.0/24", "dev", "wire", "rto_min", self._rto_min)
