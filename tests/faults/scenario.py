"""The scenarios that echod goes through while one fault hits it: the life of a daemon in some tenths of a second."""

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from clients import Client, serve
from daemon import Daemon, Hung, Manager
from records import Record

SCENARIOS = ("plain", "managed")
CLIENT_S = 8.0
ONE_STOP_S = 1.2  # echod takes a second stop signal within this time for the same stop.


@dataclass
class Run:
    """The result of a scenario."""

    status: int | None = None
    has_served: bool = False  # It logged that it started.
    text: str = ""
    stderr: str = ""
    record: Record = field(default_factory=Record)
    clients: list[Client] = field(default_factory=list)
    leaked: str = ""
    hung: str = ""
    cpu_s: float = 0.0
    retries: int = 0
    messages: list[str] = field(default_factory=list)


class Play:
    """Plays a scenario with `size` clients, besides the special ones."""

    def __init__(self, daemon: Daemon, rng: random.Random, size: int):
        self.daemon = daemon
        self.rng = rng
        self.size = size
        self.port = 0
        self.clients: list[Client] = []

    def connect(self, size: int, **how) -> Client:
        self.clients.append(Client(self.port, self.rng, size, **how))
        return self.clients[-1]

    def serve_until(self, is_done) -> None:
        serve(self.clients, is_done, self.daemon.has_ended, CLIENT_S)

    def crowd(self, number: int) -> list[Client]:
        """Connects clients with various amounts of data. One in seven resets its connection."""
        crowd = []
        for index in range(number):
            size = 0 if index == 3 else self.rng.randint(1, 20_000)
            crowd.append(self.connect(size, reset_at=self.rng.randint(0, size) if index % 7 == 5 else None))
        return crowd

    def serve_crowd(self, crowd: list[Client]) -> None:
        self.serve_until(lambda: all(client.is_over for client in crowd))

    def act(self) -> str:
        """Plays the life of a daemon that serves. Returns the descriptors that it leaked."""
        before = self.daemon.descriptors()
        self.serve_crowd(self.crowd(self.size // 3))
        self.daemon.tell(signal.SIGUSR2, "counters: ")
        # These clients read late and use up all reply buffers, so the next clients are served without a buffer.
        slow = [self.connect(400_000, reads_late=True) for _ in range(2)]
        leaving = self.connect(100_000, reads_late=True)
        self.serve_until(lambda: all(client.is_over or client.sent == len(client.data) for client in [*slow, leaving]))
        crowd = self.crowd(self.size - self.size // 3)
        if self.daemon.log_file.exists():  # A fault may have kept it from being opened.
            self.daemon.log_file.rename(self.daemon.log_file.with_suffix(".log.1"))
        self.daemon.tell(signal.SIGUSR1, "log file reopened|cannot write the log file")
        self.daemon.tell(signal.SIGHUP, "reload: applied|reload: refused")
        self.serve_crowd(crowd)
        for client in slow:
            client.reads = True
        self.serve_crowd(slow)
        leaving.reset()
        leaked = self.wait_for_descriptors(before)
        self.drain()
        return leaked

    def wait_for_descriptors(self, before: list[str]) -> str:
        def too_many() -> Counter[str]:
            return Counter(self.daemon.descriptors()) - Counter(before)
        try:
            self.daemon.wait_until("descriptors", lambda: self.daemon.has_ended() or not too_many(), 3.0)
        except Hung:
            return " ".join(too_many().elements())
        return ""

    def drain(self) -> None:
        idle = self.connect(1000, stays=True)
        talker = self.connect(1000, stays=True)
        late = self.connect(60_000, stays=True, reads_late=True)
        deaf = self.connect(400_000, stays=True, reads_late=True)
        talker.parting = b"x" * 100
        self.serve_until(lambda: all(client.is_over or client.has_all for client in (idle, talker))
                         and (late.is_over or late.has_arrived)
                         and (deaf.is_over or deaf.sent == len(deaf.data)))
        if self.daemon.has_ended():
            return
        self.daemon.stop()
        stopped = time.monotonic()
        late.reads = True
        self.serve_crowd([idle, talker, late])
        time.sleep(max(0.0, stopped + ONE_STOP_S - time.monotonic()))
        if not self.daemon.has_ended():
            os.kill(self.daemon.process.pid, signal.SIGTERM)  # The second signal stops it at once.
        self.daemon.wait()
        deaf.end()


def run(command: list[str], scenario: str, directory: Path, seed: int, plan: str = "") -> Run:
    """Runs a scenario. `command`: echod, maybe under strace. `plan`: $ECHOD_FAULT."""
    manager = Manager.make(directory) if scenario == "managed" else None
    daemon = Daemon(command, directory, plan, manager)
    play = Play(daemon, random.Random(seed), 10 if manager else 50)
    result = Run(clients=play.clients)
    try:
        port = daemon.start()
        if port is None:
            daemon.wait()
        else:
            play.port = port
            result.has_served = True
            result.leaked = play.act()
    except Hung as hung:
        result.hung = str(hung)
    except ConnectionError as error:
        result.hung = f"a client could not connect: {error}"
    finally:
        daemon.kill()
        for client in play.clients:
            client.end()
        if manager:
            manager.listen()
            result.messages = manager.messages
            manager.close()
    result.status, result.cpu_s, result.retries = daemon.status, daemon.cpu_s, daemon.retries
    result.text = daemon.text()
    result.stderr = daemon.stderr_file.read_text("utf-8", "replace")
    result.record = Record.read(daemon.record_file)
    return result
