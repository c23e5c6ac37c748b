"""Where a scenario takes place: one echod, a well-behaved client beside the hostile ones, and the bounds.

A bound on memory follows from the configuration. A bound on CPU time is relative: so many visits and echoes of
orderly clients, measured on the same daemon just before, so that it means the same on any machine.
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
MEMORY_SLACK_KIB = 1024  # The kernel's own count of pages is late by some, and so is the allocator.
CPU_FACTOR = 2.0  # What is hostile may cost so many times what is orderly.
CPU_SLACK_S = 0.1
REST_SHARE = 0.02  # Of one CPU.
HELD_SHARE = 0.1  # Sweeps for timeouts, and probes of closed windows. A spin takes 1.
MEASURED_S = 1.0
LINES_KEPT = 30

GAUGES = ("connections", "connections_of_fullest_worker", "buffered_bytes", "workers")  # As they are now.

WARM_VISITS = 300
WARM_ECHOES = 1000
WARM_MIB = 32
MIB = 1024 * 1024


class NotPossible(Exception):
    """The machine does not let this scenario take place."""


@dataclass(frozen=True)
class Settings:
    echod: Path
    seed: int
    is_long: bool = False


@dataclass
class Bound:
    """`most` was seen of what may be `bound`."""

    most: float
    bound: float

    @property
    def is_kept(self) -> bool:
        return self.most <= self.bound


@dataclass
class Result:
    name: str
    events: list[str] = field(default_factory=list)  # What was done how often.
    memory_kib: Bound | None = None  # Growth of the resident set.
    cpu_s: Bound | None = None
    held_share: Bound | None = None  # Of one CPU, while the hostile clients are there and nothing moves.
    rest_share: Bound | None = None  # Of one CPU, when they have left.
    cpu_us_per_event: float = 0.0
    pings: Report = field(default_factory=Report)
    counters: dict[str, int] = field(default_factory=dict)  # Those that moved.
    failures: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # If it failed, what the daemon said last.
    skipped: str = ""
    seconds: float = 0.0


@dataclass
class Costs:
    """CPU seconds of the daemon for orderly clients."""

    visit: float = 0.0
    echo: float = 0.0
    mib: float = 0.0


class Stage:
    def __init__(self, settings: Settings, result: Result):
        self.settings = settings
        self.result = result
        self.rng = random.Random(f"{settings.seed} {result.name}")
        self.costs = Costs()
        self.visitors = 0  # Connections that the daemon must have counted.
        self.daemon: EchodProcess
        self.pinger: Pinger
        self._cleanup = ExitStack()
        self._before: dict[str, int] = {}

    def start(self, config: str, *, comes_anew: bool = True, connections: int = 4, bulk: bool = True,
              wrapper: Sequence[str] = (), limits: Mapping[str, int] | None = None,
              prepare: Callable[[EchodProcess], None] = lambda daemon: None,
              options: Mapping[str, Any] | None = None) -> None:
        """`comes_anew`: the well-behaved client does not only stay on its `connections`, it also connects again and
        again. `bulk`: what a MiB costs matters. `prepare`: what is done to the daemon before anybody comes. `options`:
        further ones of EchodProcess.
        """
        clients.allow_descriptors()
        self.daemon = EchodProcess(self.settings.echod, config, **{"wrapper": wrapper, "limits": limits, **(options or {})})
        self._cleanup.callback(self.daemon.kill)
        self._cleanup.callback(self.keep_what_was_said)
        self._overflows = clients.overflows()
        prepare(self.daemon)
        self.pinger = Pinger(self.port, self.rng.randrange(2**32), connections, comes_anew)
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

    def keep_what_was_said(self) -> None:
        if self.result.failures and not self.result.said:
            self.result.said = self.daemon.stderr_text().splitlines()[-LINES_KEPT:]

    # What orderly clients cost.

    def calibrate(self, bulk: bool) -> None:
        # Each on a connection of its own: one that waits for the others could be idle for too long.
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

    # The attack, and what it may cost.

    @contextmanager
    def attack(self, *, connections: int, buffers_kib: float = 0) -> Iterator[None]:
        """At most so many connections at a time, and bytes that the configuration lets them have kept."""
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
        """For the attack that is over. `seconds`: for how long it held what it had. `events`: if others than those."""
        costs = self.costs
        assert mib == 0 or costs.mib > 0
        orderly = visits * costs.visit + (echoes + self._pings) * costs.echo + mib * costs.mib
        bound = factor * orderly + HELD_SHARE * seconds + CPU_SLACK_S
        self.result.cpu_s = Bound(self._cpu, bound)
        self.result.cpu_us_per_event = 1e6 * self._cpu / (events or visits + echoes)
        self.check(self._cpu <= bound, f"{self._cpu:.3f} s of CPU time; the bound is {bound:.3f}")

    def hold(self) -> None:
        """Nothing moves but the pings, which are served: what do all the others cost now?"""
        self.pinger.wait_for_pings(20)
        share = self.share_of_cpu(HELD_SHARE)
        self.result.held_share = share
        self.check(share.is_kept, f"{share.most:.1%} of a CPU while nothing moves; the bound is {share.bound:.1%}")

    def share_of_cpu(self, share: float) -> Bound:
        """The time that is measured, and in it what is due to the pings."""
        cpu, pings, start = self.daemon.cpu_s(), self.pinger.pings, time.monotonic()
        time.sleep(MEASURED_S)
        seconds = time.monotonic() - start
        due = CPU_FACTOR * (self.pinger.pings - pings) * self.costs.echo
        return Bound((self.daemon.cpu_s() - cpu) / seconds, share + due / seconds)

    def closed(self) -> dict[str, int]:
        """By reason, since the attack began."""
        return {name.removeprefix("closed_"): value - self._before.get(name, 0)
                for name, value in self.daemon.counters().items() if name.startswith("closed_")}

    def moved(self, name: str) -> int:
        return self.daemon.counters()[name] - self._before.get(name, 0)

    # When they have left.

    def finish(self, *, kept_kib: float = 0, may_lose: bool = False) -> None:
        """The daemon is as it was, and has accounted for everybody. `kept_kib`: of buffers, for the next burst.
        `may_lose`: some connections were over before it could accept them.
        """
        self.result.pings = report = self.pinger.stop()
        self.check(not report.error, f"the well-behaved client: {report.error}")
        self.visitors += report.connections
        self.visit()
        daemon = self.daemon
        wait_until("all connections to be closed", lambda: daemon.counters()["connections"] == 0)
        wait_until(f"descriptors to be back to {daemon.descriptors_at_start}",
                   lambda: daemon.descriptors() <= daemon.descriptors_at_start)
        self.result.rest_share = rest = self.share_of_cpu(REST_SHARE)
        self.check(rest.is_kept, f"{rest.most:.1%} of a CPU at rest; the bound is {rest.bound:.1%}")
        kept = daemon.rss_kib() - self._memory
        most = MEMORY_SLACK_KIB + self._table_kib + kept_kib
        self.check(kept <= most, f"{kept} KiB more than before are kept; the bound is {most:.0f}")
        self.account(may_lose)
        daemon.stop()

    def account(self, may_lose: bool) -> None:
        counters = self.daemon.counters()
        self.result.counters = {name: value - self._before.get(name, 0) for name, value in counters.items()
                                if value != self._before.get(name, 0) and name not in GAUGES}
        accepted = counters["accepted"]
        closed = sum(value for name, value in counters.items() if name.startswith("closed_"))
        self.check(accepted == closed, f"{accepted} were accepted, {closed} closed for a reason that is counted")
        self.check(counters["buffered_bytes"] == 0, f"{counters['buffered_bytes']} bytes are still buffered")
        lost = clients.overflows() - self._overflows  # Of the whole machine: an upper bound.
        least = -math.inf if may_lose else self.visitors - lost
        self.check(least <= accepted <= self.visitors, f"{accepted} were accepted of {self.visitors} that came")


def fail(result: Result, error: BaseException) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f" ({Path(place.filename).name}:{place.lineno})"
    result.failures.append(str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}{where}")
