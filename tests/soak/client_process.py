"""A process that runs clients of the soak: it keeps a number of streams open and counts their results."""

import hashlib
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import kinds
from checked_stream import Crowd, Ending, Stream

Address = tuple[str, int]

PATIENCE_S = 60.0
REPORT_S = 1.0
MOST_FAILURES = 20  # How many failures are reported in full.


@dataclass
class Tally:
    """The counts of the clients. Connections and bytes are by source address; for gated streams, that of the gate."""

    connections: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    ended_by_server: Counter[str] = field(default_factory=Counter)  # Idle and stalled streams that echod closed.
    kinds: Counter[str] = field(default_factory=Counter)
    whole: int = 0  # Streams that had to come back whole; failed ones too.
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    open: int = 0
    datagrams_sent: int = 0
    datagrams_received: int = 0
    datagrams_dropped: int = 0  # Answers that came, but did not fit into the client's receive buffer.
    longest_turn_s: float = 0.0  # The longest time in which no stream was served: the process was busy or had no CPU.
    sent_hash: str = ""  # A hash of the hashes of all whole streams.
    received_hash: str = ""
    state: str = "rest"

    def add(self, other: "Tally") -> None:
        for name in ("connections", "sent", "received", "ended_by_server", "kinds"):
            getattr(self, name).update(getattr(other, name))
        self.whole += other.whole
        self.failed += other.failed
        self.failures += other.failures
        self.open += other.open
        self.datagrams_sent += other.datagrams_sent
        self.datagrams_received += other.datagrams_received
        self.datagrams_dropped += other.datagrams_dropped
        self.longest_turn_s = max(self.longest_turn_s, other.longest_turn_s)
        self.sent_hash = hashlib.sha256((self.sent_hash + other.sent_hash).encode()).hexdigest()
        self.received_hash = hashlib.sha256((self.received_hash + other.received_hash).encode()).hexdigest()

    def fail(self, text: str) -> None:
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(text)


class Clients:
    """The clients, as they run in their own process.

    `control` gets words: "load" keeps `at_a_time` streams open; "rest" ends all streams; "hold" starts no new streams,
    and the server may end the open ones early.
    """

    def __init__(self, number: int, seed: int, targets: Sequence[Address], path: str, gate: Address, at_a_time: int,
                 control: Connection):
        self.number = number
        self.seed = seed
        self.targets = targets
        self.path = path
        self.gate = gate
        self.at_a_time = at_a_time
        self.control = control
        self.crowd = Crowd(self.on_over)
        self.started = 0
        self.storm = 0
        self.tally = Tally()
        self.sent_hashes = hashlib.sha256()
        self.received_hashes = hashlib.sha256()
        self.reports_at = 0.0

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent process handles Ctrl-C.
        while True:
            began = time.monotonic()
            if self.control.poll(0 if self.crowd.streams or self.tally.state == "load" else REPORT_S):
                self.obey(self.control.recv())
            while self.tally.state == "load" and (self.storm > 0 or len(self.crowd.streams) < self.at_a_time):
                self.start_one()
            self.crowd.run_once(PATIENCE_S, 0.02 if self.crowd.streams else 0)
            if self.crowd.streams:
                self.tally.longest_turn_s = max(self.tally.longest_turn_s, time.monotonic() - began)
            has_emptied = self.tally.open > 0 and not self.crowd.streams
            if has_emptied or time.monotonic() >= self.reports_at:
                self.report()

    def obey(self, word: str) -> None:
        self.tally.state = word
        if word == "rest":
            self.storm = 0
            self.crowd.leave()
        if word == "hold":
            for stream in self.crowd.streams.values():
                stream.may_be_cut = True
        self.report()

    def report(self) -> None:
        self.reports_at = time.monotonic() + REPORT_S
        self.tally.open = len(self.crowd.streams)
        self.tally.sent_hash = self.sent_hashes.hexdigest()
        self.tally.received_hash = self.received_hashes.hexdigest()
        self.control.send(self.tally)

    def start_one(self) -> None:
        """Starts a stream. What it does depends only on the seed and its number."""
        rng = random.Random(f"{self.seed} {self.number} {self.started}")
        storm = kinds.size_of_storm(rng)
        plan = kinds.short(rng) if self.storm > 0 else kinds.draw(rng)
        self.storm = max(self.storm - 1, storm)
        target = self.path if plan.source == kinds.LOCAL else self.gate if plan.gate else rng.choice(self.targets)
        name = f"{self.number}/{self.started}"
        self.started += 1
        try:
            stream = Stream(name, plan, target, rng)
        except OSError as error:
            self.tally.fail(f"stream {name}, {plan.kind}: cannot connect: {error}")
            return
        self.tally.connections[plan.source] += 1
        self.crowd.add(stream)

    def on_over(self, stream: Stream) -> None:
        plan, tally = stream.plan, self.tally
        tally.kinds[plan.kind] += 1
        tally.sent[plan.source] += stream.sent
        tally.received[plan.source] += stream.received
        if stream.error:
            tally.fail(f"stream {stream.name}, {plan}, {time.monotonic() - stream.began:.1f} s: {stream.error}")
        if stream.is_ended and stream.ending in (Ending.SILENCE, Ending.STALL):
            tally.ended_by_server[plan.source] += 1
        if plan.is_whole and not stream.may_be_cut:
            tally.whole += 1
            self.sent_hashes.update(stream.sent_hash.digest())
            self.received_hashes.update(stream.received_hash.digest())


class ClientProcess:
    """Starts and controls a process of clients. `run` is called in the process. `tally` is its last report."""

    def __init__(self, run: Callable[[Connection], None]):
        self.control, theirs = multiprocessing.Pipe()
        self.tally = Tally()
        self.process = multiprocessing.Process(target=run, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def tell(self, word: str) -> None:
        self.control.send(word)

    def listen(self) -> None:
        """Reads the reports that have come."""
        while self.control.poll():
            self.tally = self.control.recv()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
