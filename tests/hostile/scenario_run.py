"""The environment of a scenario: one echod, a well-behaved client (Pinger), and bounds on memory and CPU time.

The bound on memory follows from the configuration. The bound on CPU time is relative to the cost of well-behaved
clients, which is measured on the same daemon just before. So it means the same on every machine.
"""

import math
import random
import select
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clients
from echod_process import Broken, EchodProcess, wait_until
from pinger import Pinger, Report

KIB_OF_CONNECTION = 128 / 1024
MEMORY_SLACK_KIB = 1024  # The kernel updates its page counts late, and the allocator keeps some pages.
CPU_FACTOR = 2.0  # Hostile clients may cost this many times what well-behaved ones cost.
CPU_SLACK_S = 0.1
REST_SHARE = 0.02  # Of one CPU.
HELD_SHARE = 0.1  # Of one CPU. Allows sweeps for timeouts and probes of closed windows; spinning would take 1.
MEASURED_S = 1.0
LINES_KEPT = 30

# Counters whose value is a current state, not a total.
GAUGES = ("connections", "connections_of_fullest_worker", "buffered_bytes", "workers")

WARM_VISITS = 300
WARM_ECHOES = 1000
WARM_MIB = 32
MIB = 1024 * 1024


class NotPossible(Exception):
    """This machine does not allow the scenario. It is skipped."""


@dataclass(frozen=True)
class Settings:
    echod: Path
    seed: int
    is_long: bool = False


@dataclass
class Bound:
    """A measured maximum and its bound."""

    most: float
    bound: float

    @property
    def is_kept(self) -> bool:
        return self.most <= self.bound


@dataclass
class Result:
    name: str
    events: list[str] = field(default_factory=list)  # What was done, and how often.
    memory_kib: Bound | None = None  # Growth of the resident set.
    cpu_s: Bound | None = None
    held_share: Bound | None = None  # Share of a CPU while the hostile clients are connected but send nothing.
    rest_share: Bound | None = None  # Share of a CPU when the hostile clients have left.
    cpu_us_per_event: float = 0.0
    pings: Report = field(default_factory=Report)
    counters: dict[str, int] = field(default_factory=dict)  # By how much each counter has changed.
    figures: dict[str, float] = field(default_factory=dict)  # Of this scenario alone.
    failures: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # If it failed, the last lines on the daemon's stderr.
    skipped: str = ""
    seconds: float = 0.0


@dataclass
class Costs:
    """CPU seconds of the daemon for well-behaved clients: for a visit, an echo, and a MiB."""

    visit: float = 0.0
    echo: float = 0.0
    mib: float = 0.0


class ScenarioRun:
    def __init__(self, settings: Settings, result: Result):
        self.settings = settings
        self.result = result
        self.rng = random.Random(f"{settings.seed} {result.name}")
        self.costs = Costs()
        self.visitors = 0  # How many connections the daemon must have accepted.
        self.daemon: EchodProcess
        self.pinger: Pinger
        self._cleanup = ExitStack()
        self._before: dict[str, int] = {}

    def start(self, config: str, *, reconnects: bool = True, connections: int = 4, bulk: bool = True,
              wrapper: Sequence[str] = (), limits: Mapping[str, int] | None = None,
              prepare: Callable[[EchodProcess], None] = lambda daemon: None,
              options: Mapping[str, Any] | None = None) -> None:
        """Starts echod and the well-behaved client, and measures the costs.

        `connections`: of the well-behaved client. `reconnects`: it also replaces them by new ones from time to time.
        `bulk`: measure the cost of a MiB too. `prepare`: is called before the first client connects. `options`: further
        options of EchodProcess.
        """
        clients.allow_descriptors()
        self.daemon = EchodProcess(self.settings.echod, config,
                                   **{"wrapper": wrapper, "limits": limits, **(options or {})})
        self._cleanup.callback(self.daemon.kill)
        self._cleanup.callback(self.keep_last_output)
        self._overflows = clients.overflows()
        prepare(self.daemon)
        self.pinger = Pinger(self.port, self.rng.randrange(2**32), connections, reconnects)
        self._cleanup.callback(self.pinger.kill)
        self.calibrate(bulk)

    @property
    def port(self) -> int:
        return self.daemon.port

    def check(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.result.failures.append(otherwise)

    def did(self, count: int, what: str) -> None:
        self.result.events.append(f"{count} {what}")

    def close(self) -> None:
        self._cleanup.close()

    def keep_last_output(self) -> None:
        if self.result.failures and not self.result.said:
            self.result.said = self.daemon.stderr_text().splitlines()[-LINES_KEPT:]

    # The costs of well-behaved clients.

    def calibrate(self, bulk: bool) -> None:
        # Each cost has its own connection: one that waits for the other measurements could run into the idle timeout.
        with clients.connect(self.port) as one:
            self.costs.echo = self.cost_of(lambda: clients.echo(one, bytes(64)), WARM_ECHOES)
        self.costs.visit = self.cost_of(self.visit, WARM_VISITS)
        self.visitors += 1
        if bulk:
            with clients.connect(self.port) as one:
                self.costs.mib = self.cost_of(lambda: self.echo_bulk(one), WARM_MIB)
            self.visitors += 1

    def cost_of(self, do: Callable[[], None], times: int) -> float:
        before = self.daemon.cpu_s()
        for _ in range(times):
            do()
        return (self.daemon.cpu_s() - before) / times

    def visit(self) -> None:
        with clients.connect(self.port) as one:
            clients.echo(one, bytes(64))
        self.visitors += 1

    def echo_bulk(self, one: socket.socket) -> None:
        one.setblocking(False)
        sent = received = 0
        while received < MIB:
            wants = [one] if sent < MIB else []
            readable, writable, _ = select.select([one], wants, [])
            if writable:
                sent += one.send(bytes(min(65536, MIB - sent)))
            if readable:
                received += len(one.recv(65536))

    # The attack, and its bounds.

    @contextmanager
    def attack(self, *, connections: int, buffers_kib: float = 0) -> Iterator[None]:
        """The context of an attack. `connections`, `buffers_kib`: the most connections at a time, and the most memory
        that the configuration allows for their bytes.
        """
        self._before = self.daemon.counters()
        self.daemon.forget_peak()
        memory = self.daemon.rss_kib()
        cpu, pings = self.daemon.cpu_s(), self.pinger.pings
        yield
        self.pinger.wait_for_pings(20)
        self._cpu, self._pings = self.daemon.cpu_s() - cpu, self.pinger.pings - pings
        growth = self.daemon.peak_kib() - memory
        self._memory, self._table_kib = memory, connections * KIB_OF_CONNECTION
        bound = MEMORY_SLACK_KIB + self._table_kib + buffers_kib
        self.result.memory_kib = Bound(growth, bound)
        self.check(growth <= bound, f"memory grew by {growth} KiB; the bound is {bound:.0f}")

    def bound_cpu(self, *, visits: float = 0, echoes: float = 0, mib: float = 0, seconds: float = 0,
                  factor: float = CPU_FACTOR, events: float = 0) -> None:
        """Checks the CPU time of the attack that has ended, given what it did.

        `seconds`: how long it held its connections. `events`: how many events it was, if not visits and echoes.
        """
        costs = self.costs
        assert mib == 0 or costs.mib > 0
        orderly = visits * costs.visit + (echoes + self._pings) * costs.echo + mib * costs.mib
        bound = factor * orderly + HELD_SHARE * seconds + CPU_SLACK_S
        self.result.cpu_s = Bound(self._cpu, bound)
        self.result.cpu_us_per_event = 1e6 * self._cpu / (events or visits + echoes)
        self.check(self._cpu <= bound, f"{self._cpu:.3f} s of CPU time; the bound is {bound:.3f}")

    def hold(self) -> None:
        """Checks the CPU time while the hostile clients are connected but send nothing, and that pings are served."""
        self.pinger.wait_for_pings(20)
        share = self.share_of_cpu(HELD_SHARE)
        self.result.held_share = share
        self.check(share.is_kept, f"{share.most:.1%} of a CPU while nothing moves; the bound is {share.bound:.1%}")

    def share_of_cpu(self, share: float) -> Bound:
        """Measures the daemon's share of a CPU. The bound is `share` plus the cost of the pings meanwhile."""
        cpu, pings, start = self.daemon.cpu_s(), self.pinger.pings, time.monotonic()
        time.sleep(MEASURED_S)
        seconds = time.monotonic() - start
        due = CPU_FACTOR * (self.pinger.pings - pings) * self.costs.echo
        return Bound((self.daemon.cpu_s() - cpu) / seconds, share + due / seconds)

    def closed(self) -> dict[str, int]:
        """Returns how many connections were closed since the attack began, by reason."""
        return {name.removeprefix("closed_"): value - self._before.get(name, 0)
                for name, value in self.daemon.counters().items() if name.startswith("closed_")}

    def moved(self, name: str) -> int:
        """Returns by how much a counter has changed since the attack began."""
        return self.daemon.counters()[name] - self._before.get(name, 0)

    # After the attack.

    def finish(self, *, kept_kib: float = 0, may_lose: bool = False) -> None:
        """Checks that the daemon is back to its state before the attack and has counted every connection, and stops it.

        `kept_kib`: memory that it may keep for the next burst. `may_lose`: some connections may have ended before they
        were accepted.
        """
        self.result.pings = report = self.pinger.stop()
        self.check(not report.error, f"the well-behaved client: {report.error}")
        self.visitors += report.connections
        self.visit()
        daemon = self.daemon
        wait_until("all connections to be closed", lambda: daemon.counters()["connections"] == 0)
        wait_until(f"descriptors to be back to {daemon.descriptors_at_start}",
                   lambda: len(daemon.descriptors()) <= daemon.descriptors_at_start)
        self.result.rest_share = rest = self.share_of_cpu(REST_SHARE)
        self.check(rest.is_kept, f"{rest.most:.1%} of a CPU at rest; the bound is {rest.bound:.1%}")
        kept = daemon.rss_kib() - self._memory
        most = MEMORY_SLACK_KIB + self._table_kib + kept_kib
        self.check(kept <= most, f"{kept} KiB more memory than before; the bound is {most:.0f}")
        self.check_counts(may_lose)
        daemon.stop()

    def check_counts(self, may_lose: bool) -> None:
        counters = self.daemon.counters()
        self.result.counters = {name: value - self._before.get(name, 0) for name, value in counters.items()
                                if value != self._before.get(name, 0) and name not in GAUGES}
        accepted = counters["accepted"]
        closed = sum(value for name, value in counters.items() if name.startswith("closed_"))
        self.check(accepted == closed, f"accepted={accepted}, but the sum of closed_* is {closed}")
        self.check(counters["buffered_bytes"] == 0, f"{counters['buffered_bytes']} bytes are still buffered")
        lost = clients.overflows() - self._overflows  # Counts the whole machine, so it is an upper bound.
        least = -math.inf if may_lose else self.visitors - lost
        self.check(least <= accepted <= self.visitors, f"{accepted} of {self.visitors} connections were accepted")


def fail(result: Result, error: BaseException) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f" ({Path(place.filename).name}:{place.lineno})"
    result.failures.append(str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}{where}")
