"""The scenarios that echod goes through while one fault hits it: the life of a daemon in some tenths of a second."""

import contextlib
import math
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stream_sockets
from admin_visit import AdminVisit
from checked_stream import Crowd, Ending, Plan, Stream
from echod_process import Broken
from records import Record
from tortured_echod import UDP_PORT, Manager, TorturedEchod

SCENARIOS = ("plain", "managed", "upgraded")
FIRST, CHECK, NEXT = 1, 2, 3  # The numbers of the programs of an upgrade; see fault_layer.hpp.
CLIENT_S = 8.0
DATAGRAMS_OF_A_CLIENT = 3
READS_LATE: dict[str, Any] = {"reads_after_s": math.inf, "receive_buffer": 32 * 1024}  # It reads when told to.
ONE_STOP_S = 1.2  # echod takes a second stop signal within this time for the same stop.


@dataclass
class Run:
    """The result of a scenario."""

    status: int | None = None
    has_served: bool = False  # It logged that it started.
    text: str = ""
    stderr: str = ""
    record: Record = field(default_factory=Record)  # Of all its programs.
    records: list[Record] = field(default_factory=list)  # By program.
    clients: list[Stream] = field(default_factory=list)
    leaked: str = ""
    hung: str = ""
    cpu_s: float = 0.0
    retries: int = 0
    messages: list[str] = field(default_factory=list)
    admin_faults: list[str] = field(default_factory=list)  # What was wrong with the admin thread.
    admin_retries: int = 0  # Requests that were not answered.
    admin_allocations: range = range(0)  # Numbers of the allocations while the admin thread was asked.
    first_of_upgrade: int = 0  # The number of the first allocation of the upgrade; 0 without an upgrade.
    refusals: int = 0  # How many upgrades were refused.


class Play:
    """Plays a scenario with `size` clients, besides the special ones."""

    def __init__(self, daemon: TorturedEchod, rng: random.Random, size: int):
        self.daemon = daemon
        self.rng = rng
        self.size = size
        self.port = 0
        self.admin = AdminVisit("", 0, 0, daemon.is_running)
        self.admin_allocations = range(0)
        self.first_of_upgrade = 0
        self.clients: list[Stream] = []
        self.crowd = Crowd(lambda client: None)

    def connect(self, size: int, **how: Any) -> Stream:
        """Connects a client that sends `size` bytes in random chunks. `how`: the rest of its Plan."""
        plan = Plan("client", size, most=max(64, size // 6), is_even=True, **how)
        self.clients.append(Stream("", plan, ("127.0.0.1", self.port), self.rng))
        self.crowd.add(self.clients[-1])
        return self.clients[-1]

    def start_reading(self, client: Stream) -> None:
        if not client.is_over:
            client.reads_at = time.monotonic()
            self.crowd.refresh(client, client.reads_at)

    def serve_until(self, is_done: Callable[[], bool]) -> None:
        """Runs the clients until `is_done`, until the daemon has ended, or for CLIENT_S.

        In the last two cases a client that still waits for its echo ends with an error.
        """
        deadline = time.monotonic() + CLIENT_S
        while not is_done():
            self.crowd.run_once(math.inf, 0.05)
            has_ended = not self.daemon.is_running()
            if has_ended or time.monotonic() > deadline:
                for client in self.clients:
                    if not is_done() and client.reads_at < math.inf:
                        self.crowd.end(client, f"{'the daemon ended' if has_ended else 'no progress'} after "
                                               f"{client.received} of {client.total} bytes")
                return

    def connect_crowd(self, number: int) -> list[Stream]:
        """Connects clients with various amounts of data. One in seven resets its connection."""
        crowd = []
        for index in range(number):
            size = 0 if index == 3 else self.rng.randint(1, 20_000)
            how = {"ending": Ending.RESET, "end_at": self.rng.randint(1, size)} if index % 7 == 5 else {}
            crowd.append(self.connect(size, **how))
        return crowd

    def serve_crowd(self, crowd: list[Stream]) -> None:
        self.serve_until(lambda: all(client.is_over for client in crowd))

    def echo_datagrams(self) -> None:
        """Sends datagrams until some have come back: a fault may drop some."""
        found = UDP_PORT.search(self.daemon.text())
        if not found:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.1)
            echoes = 0
            deadline = time.monotonic() + CLIENT_S
            while echoes < DATAGRAMS_OF_A_CLIENT and self.daemon.is_running():
                if time.monotonic() > deadline:
                    raise Broken("no datagram comes back")
                client.sendto(b"datagram", ("127.0.0.1", int(found[1])))
                with contextlib.suppress(TimeoutError):
                    echoes += client.recv(100) == b"datagram"

    def echo_over_the_path(self) -> None:
        """Echoes over the UNIX socket, if there is one, until an echo was whole: a fault may end a connection."""
        data = self.rng.randbytes(150_000)  # The send buffer takes all of it.
        deadline = time.monotonic() + CLIENT_S
        while not self.daemon.manager and self.daemon.is_running():
            if time.monotonic() > deadline:
                raise Broken("no whole echo comes back over the UNIX socket")
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
                client.settimeout(CLIENT_S)
                client.connect(str(self.daemon.echo_socket))
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                if b"".join(iter(lambda: client.recv(65536), b"")) == data:
                    return

    def act(self) -> str:
        """Plays the life of a daemon that serves. Returns the descriptors that it leaked."""
        self.admin = AdminVisit(str(self.daemon.admin_socket), self.daemon.admin_port, self.port,
                                self.daemon.is_running)
        before = self.daemon.descriptors()
        self.echo_datagrams()
        self.echo_over_the_path()
        self.serve_crowd(self.connect_crowd(self.size // 3))
        self.daemon.tell(signal.SIGUSR2, "counters: ")
        # These clients read late and use up all reply buffers, so the next clients are served without a buffer.
        slow = [self.connect(400_000, **READS_LATE) for _ in range(2)]
        leaving = self.connect(100_000, **READS_LATE)
        self.serve_until(lambda: all(client.is_over or client.sent == client.total for client in [*slow, leaving]))
        first = self.daemon.allocations() + 1
        self.admin.come()
        self.admin_allocations = range(first, self.daemon.allocations() + 1)
        crowd = self.connect_crowd(self.size - self.size // 3)
        if self.daemon.log_file.exists():  # A fault may have kept it from being opened.
            self.daemon.log_file.rename(self.daemon.log_file.with_suffix(".log.1"))
        self.daemon.tell(signal.SIGUSR1, "log file reopened|cannot write the log file")
        self.daemon.tell(signal.SIGHUP, "reload: applied|reload: refused")
        self.serve_crowd(crowd)
        for client in slow:
            self.start_reading(client)
        self.serve_crowd(slow)
        leaving.ending = Ending.RESET
        self.crowd.end(leaving)
        leaked = self.wait_for_descriptors(before)
        self.drain()
        return leaked

    def act_with_upgrade(self) -> str:
        """Plays an upgrade in place while clients are owed bytes. Returns the descriptors that echod leaked."""
        before = self.daemon.descriptors()
        self.echo_datagrams()
        self.echo_over_the_path()
        slow = [self.connect(size, **READS_LATE) for size in (400_000, 400_000, 120_000)]
        talker = self.connect(1000, ending=Ending.SILENCE, parting=b"x" * 100)
        self.serve_until(lambda: all(client.is_over or client.sent == client.total for client in [*slow, talker]))
        crowd = self.connect_crowd(8)
        self.first_of_upgrade = self.daemon.allocations() + 1
        self.daemon.upgrade()
        self.serve_crowd(crowd)
        for client in slow:
            self.start_reading(client)
        self.serve_crowd([*slow, *self.connect_crowd(3)] if self.daemon.is_running() else slow)
        leaked = self.wait_for_descriptors([*before, "socket"])  # That of the client who stays.
        self.daemon.tell(signal.SIGUSR2, "counters: ")  # On standard error too, if the log file could not be opened.
        self.daemon.signal(signal.SIGTERM)
        self.serve_crowd([talker])
        self.daemon.wait_for_end()
        return leaked

    def wait_for_descriptors(self, before: list[str]) -> str:
        def too_many() -> Counter[str]:
            return Counter(self.daemon.descriptors()) - Counter(before)
        try:
            self.daemon.wait_until("descriptors", lambda: not self.daemon.is_running() or not too_many(), 3.0)
        except Broken:
            return " ".join(too_many().elements())
        return ""

    def drain(self) -> None:
        idle = self.connect(1000, ending=Ending.SILENCE)
        talker = self.connect(1000, ending=Ending.SILENCE, parting=b"x" * 100)
        late = self.connect(60_000, ending=Ending.SILENCE, **READS_LATE)
        deaf = self.connect(400_000, ending=Ending.SILENCE, **READS_LATE)
        self.serve_until(lambda: all(client.is_over or client.received == client.total for client in (idle, talker))
                         and all(client.is_over or client.sent == client.total for client in (late, deaf))
                         and (late.is_over or stream_sockets.has_arrived(late.socket)))
        if not self.daemon.is_running():
            return
        self.daemon.ask_to_stop()
        stopped = time.monotonic()
        self.admin.see_the_drain()
        self.start_reading(late)
        self.serve_crowd([idle, talker, late])
        time.sleep(max(0.0, stopped + ONE_STOP_S - time.monotonic()))
        self.daemon.signal(signal.SIGTERM)  # The second signal stops it at once.
        self.daemon.wait_for_end()
        self.crowd.end(deaf)


def run(command: list[str], scenario: str, directory: Path, seed: int, plan: str = "") -> Run:
    """Runs a scenario. `command`: echod, maybe under strace. `plan`: $ECHOD_FAULT."""
    manager = Manager.make(directory) if scenario == "managed" else None
    daemon = TorturedEchod(command, directory, plan, manager)
    play = Play(daemon, random.Random(seed), 10 if manager else 50)
    result = Run(clients=play.clients)
    try:
        port = daemon.wait_for_port()
        if port is None:
            daemon.wait_for_end()
        else:
            play.port = port
            result.has_served = True
            result.leaked = play.act_with_upgrade() if scenario == "upgraded" else play.act()
    except Broken as hung:
        result.hung = str(hung)
    except ConnectionError as error:
        result.hung = f"a client could not connect: {error}"
    finally:
        daemon.kill()
        for client in play.clients:
            play.crowd.end(client)
        if manager:
            manager.listen()
            result.messages = manager.messages
            manager.close()
    result.status, result.cpu_s, result.retries = daemon.process.returncode, daemon.cpu_s(), daemon.retries
    result.admin_faults, result.admin_retries = play.admin.faults, play.admin.retries
    result.admin_allocations = play.admin_allocations
    result.text = daemon.text()
    result.stderr = daemon.stderr_text()
    result.records = Record.read_all(daemon.record_file)
    result.record = Record.total(result.records)
    result.first_of_upgrade, result.refusals = play.first_of_upgrade, daemon.refusals
    return result
