"""Runs one echod and its clients through a soak: the loads with all actions, the rests, and the end."""

import json
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

import configs
import kinds
import soak_verdict
from admin_watch import AdminWatch
from chaos_gate import ChaosGate
from client_process import PATIENCE_S, ClientProcess, Clients, Tally
from daemon_log import DaemonLog
from datagram_clients import DatagramClients
from echod_process import Broken, EchodProcess, last_counters, wait_until
from reloads import News, Reloads

CLIENT_PROCESSES = 2
REST_S = 1.0
SAMPLE_S = 1.0
# Texts that warnings and errors may contain. The last one is in each error of a bad configuration.
ALLOWED = (soak_verdict.REFUSED, "full on ", "buffers.total_mib leaves", "ulimit -n", "net.core.rmem_max",
           "echod.toml")
# See mallopt(3). Freed memory goes back to the kernel, so that memory at rest is little more than memory in use.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4096", "MALLOC_TRIM_THRESHOLD_": "4096"}
ACTIONS = {"reload": 4, "reload_what_is_bad": 1, "upgrade_by_reload": 2, "upgrade_by_order": 1, "rotate": 2, "count": 1,
           "freeze": 1, "start_echoload": 1}
PAUSE_S = (0.2, 1.5)  # Between two actions.
UPGRADES_AT = 2  # So many actions before the first upgrade: a short soak has one, too.
# If a number of upgrades is wanted.
HURRIED_ACTIONS = {**ACTIONS, "reload": 8, "upgrade_by_reload": 4, "upgrade_by_order": 4}
HURRIED_PAUSE_S = (0.0, 0.1)


@dataclass(frozen=True)
class Settings:
    echod: Path
    echoload: Path
    seed: int
    at_a_time: int
    upgrades: int = 0  # The soak ends after so many upgrades and as many reloads in place, under load.

    @property
    def is_sanitized(self) -> bool:
        """Returns whether echod was built with a sanitizer. Then its memory and CPU time are not judged as usual."""
        binary = self.echod.read_bytes()
        return b"__asan_init" in binary or b"__tsan_init" in binary


@dataclass
class Rest:
    """The state of echod after all clients have left."""

    seconds: float
    connections: int
    private_kib: int
    descriptors: int
    threads: int
    cpu_share: float


@dataclass
class LoadTotals:
    """Totals of all runs of echoload."""

    runs: int = 0
    connections: int = 0
    echoes: int = 0
    bytes_received: int = 0
    errors: int = 0


class SoakRun:
    """A soak. `on_look` is called often, to show the progress."""

    def __init__(self, settings: Settings, on_look: Callable[["SoakRun"], None]):
        self.settings = settings
        self.on_look = on_look
        self.rng = random.Random(f"{settings.seed} play")
        self.is_sanitized = settings.is_sanitized
        self.faults: list[str] = []
        self.actions: Counter[str] = Counter()
        self.rests: list[Rest] = []
        self.load_totals = LoadTotals()
        self.counters: dict[str, int] = {}
        self.gate_counts: Counter[str] = Counter()
        self.is_stopped = False
        self.open_at_the_end = 0
        self.cpu_s = 0.0
        self.peak_kib = 0
        self.samples_at = 0.0
        self.began = time.monotonic()
        self.loads: list[subprocess.Popen[bytes]] = []
        self.is_frozen = False
        self.runtime = tempfile.TemporaryDirectory(prefix="echod-test-")
        self.admin = AdminWatch(f"{self.runtime.name}/admin.sock")
        # setsid: Ctrl-C must reach only the soak, which then stops echod.
        self.daemon = EchodProcess(settings.echod, configs.at_rest(), wrapper=["setsid"],
                                   environment={**ALLOCATOR, "RUNTIME_DIRECTORY": self.runtime.name})
        self.daemon.allow_log(*ALLOWED)
        self.reloads = Reloads(self.daemon, self.rng, self.admin.upgrade, self.attend_until)
        self.threads_at_start = self.threads()
        self.log = DaemonLog(self.daemon.log_file, ALLOWED)
        self.gate = ChaosGate(self.daemon.listeners[0], (kinds.GATE_WHOLE, kinds.GATE_CUT))
        self.clients = [ClientProcess(self.run_datagrams),
                        *(ClientProcess(partial(self.run_streams, number)) for number in range(CLIENT_PROCESSES))]

    def run_streams(self, number: int, control: Connection) -> None:
        settings = self.settings
        path = f"{self.runtime.name}/{configs.LOCAL_PATH}"
        Clients(number, settings.seed, self.daemon.listeners, path, self.gate.address, settings.at_a_time,
                control).run()

    def run_datagrams(self, control: Connection) -> None:
        DatagramClients(self.settings.seed, self.daemon.datagram_listeners, control).run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for load in self.loads:
            load.kill()
            load.wait()
        for client in self.clients:
            client.kill()
        self.gate.kill()
        self.daemon.kill()
        self.runtime.cleanup()

    def add_faults(self, faults: list[str]) -> None:
        """Prints and stores the faults. A fault that is already stored, such as at the last rest, is not repeated."""
        for fault in faults:
            if fault not in self.faults:
                self.faults.append(fault)
                print(f"FAULT after {time.monotonic() - self.began:.0f} s: {fault}", flush=True)

    # State.

    @property
    def tally(self) -> Tally:
        total = Tally()
        for client in self.clients:
            total.add(client.tally)
        return total

    @property
    def came(self) -> Counter[str]:
        """Returns the number of connections to echod by source address. The gate counts its own connections."""
        gate = self.gate.counts()
        return Counter({**self.tally.connections, kinds.GATE_WHOLE: gate["whole_plans"],
                        kinds.GATE_CUT: gate["cut_plans"], kinds.LOAD: self.load_totals.connections})

    def threads(self) -> int:
        return len([*Path(f"/proc/{self.daemon.pid}/task").iterdir()])

    def attend(self, seconds: float) -> None:
        """Lets time pass: reads the reports of the clients, collects ended load clients, and once a second samples
        memory and asks the admin thread.
        """
        for ready in wait([client.control for client in self.clients], seconds):
            next(client for client in self.clients if client.control is ready).listen()
        for load in [load for load in self.loads if load.poll() is not None]:
            self.loads.remove(load)
            self.take_load(load)
        if not self.daemon.is_running() and not self.is_stopped:
            raise Broken(f"echod has ended with status {self.daemon.process.returncode}:\n{self.daemon.text()[-4000:]}")
        if time.monotonic() >= self.samples_at and not self.is_stopped and not self.reloads.is_upgrading:
            self.samples_at = time.monotonic() + SAMPLE_S
            self.peak_kib = max(self.peak_kib, self.daemon.private_kib())
            if not self.is_frozen:
                self.admin.look()
        self.on_look(self)

    def attend_until(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                raise Broken(f"timed out after {2 * PATIENCE_S:g} s waiting for {what}")
            self.attend(0.05)

    def order(self, word: str) -> None:
        for client in self.clients:
            client.tell(word)
        self.attend_until(f"the clients to {word}", lambda: all(client.tally.state == word for client in self.clients))

    # Actions.

    def load(self, is_over: Callable[[], bool]) -> None:
        self.order("load")
        actions, pause = (HURRIED_ACTIONS, HURRIED_PAUSE_S) if self.settings.upgrades else (ACTIONS, PAUSE_S)
        acts_at = time.monotonic()
        acted = 0
        while not is_over():
            if time.monotonic() >= acts_at:
                action, = self.rng.choices([*actions], [*actions.values()])
                if acted == UPGRADES_AT:
                    action = "upgrade_by_reload"
                getattr(self, action)()
                self.actions[action] += 1
                acted += 1
                acts_at = time.monotonic() + self.rng.uniform(*pause)
            self.attend(0.02)

    def has_upgraded_enough(self) -> bool:
        """Whether there were as many upgrades and reloads under load as the settings want."""
        actions = self.actions
        upgrades = actions["upgrade_by_reload"] + actions["upgrade_by_order"]
        return min(upgrades, self.actions["reload"]) >= self.settings.upgrades > 0

    def reload(self) -> None:
        self.reloads.in_place()

    def reload_what_is_bad(self) -> None:
        self.reloads.bad()

    def upgrade_by_reload(self) -> None:
        self.reloads.upgrade()

    def upgrade_by_order(self) -> None:
        self.reloads.upgrade_by_order()

    def rotate(self) -> None:
        self.attend_until("the log file", self.log.file.exists)  # Opened by a thread of its own.
        old = self.log.rename()
        self.daemon.signal(signal.SIGUSR1)
        self.attend_until("a new log file", lambda: "log file reopened" in self.daemon.log_text())
        self.log.finish(old)

    def count(self) -> None:
        news = News(self.daemon.stderr_file)
        self.daemon.signal(signal.SIGUSR2)
        self.attend_until("the counters", lambda: news.has("counters: "))

    def freeze(self) -> None:
        """Stops the daemon for a random time."""
        self.daemon.freeze()
        self.is_frozen = True
        ends_at = time.monotonic() + self.rng.uniform(0.05, 1.5)
        while time.monotonic() < ends_at:
            self.attend(0.05)
        self.daemon.thaw()
        self.is_frozen = False

    def start_echoload(self) -> None:
        rng = self.rng
        host, port = rng.choice(self.daemon.listeners)
        mode = rng.choice((["--size", "1-64k", "--depth", str(rng.randint(1, 8))], ["--mode", "stream"]))
        number = self.load_totals.runs + len(self.loads)
        self.loads.append(subprocess.Popen(
            [str(self.settings.echoload), *mode, "--connections", str(rng.randint(1, 60)), "--warmup", "0",
             "--duration", f"{rng.uniform(0.5, 3):.1f}", "--timeout", f"{PATIENCE_S:g}", "--source", kinds.LOAD,
             "--seed", str(rng.getrandbits(32)), "--json", f"load-{number}.json", f"{host}:{port}"],
            cwd=self.daemon.directory, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))

    def take_load(self, load: "subprocess.Popen[bytes]") -> None:
        assert isinstance(load.args, list)
        file = self.daemon.directory / str(load.args[-2])
        result = json.loads(file.read_text("utf-8"))
        file.unlink()
        totals = self.load_totals
        totals.runs += 1
        totals.connections += 1 + result["connected"]  # The first only checks that the server is there.
        totals.echoes += result["echoes"]
        totals.bytes_received += result["bytes_received"]
        totals.errors += result["errors"]["total"]
        # echoload may have waited in the backlog all the time, behind limits.max_connections, and got nothing back.
        failures = [failure for failure in result["failures"] if not failure.startswith("nothing came back")]
        if failures or load.returncode not in (0, 1):
            self.add_faults([f"echoload: status {load.returncode}: {failures} {result['errors']['details']}"])

    # The rest, when all clients have left.

    def rest(self) -> None:
        self.reloads.rest()
        self.order("rest")
        self.attend_until("the clients to leave", lambda: not any(client.tally.open for client in self.clients))
        self.attend_until("echoload to end", lambda: not self.loads)
        wait_until("the gate to see all streams end", lambda: self.gate.counts()["open"] == 0)
        wait_until("all connections to be closed", lambda: self.daemon.counters()["connections"] == 0)
        self.wait_for_datagrams()
        self.counters = self.daemon.counters()
        self.add_faults(soak_verdict.judge_admin(self.admin.scrape(), self.admin.status_counters(), self.counters)
                        + self.judge_admin_watch())
        self.rotate()
        wait_until("the log lines of all closed connections", self.has_all_lines)
        self.add_faults(soak_verdict.judge_rest(self.log, self.counters, self.tally, self.came)
                        + self.judge_complaints() + self.look_at_rest())

    def wait_for_datagrams(self) -> None:
        """The clients send none any more. Waits until the others have come back or were counted as dropped."""
        def counters() -> dict[str, int]:
            return self.counters if self.is_stopped else self.daemon.counters()

        with suppress(Broken):  # The verdict says what is missing.
            self.attend_until("all datagrams", lambda: not soak_verdict.judge_datagrams(counters(), self.tally))

    def judge_admin_watch(self) -> list[str]:
        silent = self.admin.counts["silent_workers"]
        is_late = silent > 0 and not self.is_sanitized
        return self.admin.faults + [f"{silent} workers did not list their connections"] * is_late

    def has_all_lines(self) -> bool:
        self.log.read()
        return self.log.closed.total() >= soak_verdict.closed(self.counters)

    def judge_complaints(self) -> list[str]:
        return ([f"the log says: {line}" for line in self.log.strange]
                + soak_verdict.judge_reloads(self.reloads.done, self.counters, self.log))

    def look_at_rest(self) -> list[str]:
        daemon, faults = self.daemon, []
        cpu, start = daemon.cpu_s(), time.monotonic()
        time.sleep(REST_S)  # The CPU share of this time is measured.
        share = (daemon.cpu_s() - cpu) / (time.monotonic() - start)
        rest = Rest(time.monotonic() - self.began, self.counters["accepted"], daemon.private_kib(),
                    len(daemon.descriptors()), self.threads(), share)
        self.rests.append(rest)
        bound = soak_verdict.MOST_REST_SHARE_SANITIZED if self.is_sanitized else soak_verdict.MOST_REST_SHARE
        if share > bound:
            faults.append(f"{share:.1%} of a CPU at rest; the bound is {bound:.0%}")
        if rest.descriptors != daemon.descriptors_at_start:
            faults.append(f"{rest.descriptors} descriptors at rest, {daemon.descriptors_at_start} at the start")
        if rest.threads != self.threads_at_start:
            faults.append(f"{rest.threads} threads at rest, {self.threads_at_start} at the start")
        most = soak_verdict.peak_bound_kib(self.rests[0].private_kib)
        if self.peak_kib > most and not self.is_sanitized:
            faults.append(f"{self.peak_kib} KiB under load; the bound is {most}")
        return faults

    # The stop, under load.

    def stop(self) -> None:
        self.attend_until("echoload to end", lambda: not self.loads)
        self.order("hold")
        through = self.tally.connections
        self.attend_until("the gate to connect", lambda: self.came[kinds.GATE_WHOLE] == through[kinds.GATE_WHOLE]
                          and self.came[kinds.GATE_CUT] == through[kinds.GATE_CUT])
        self.open_at_the_end = self.tally.open
        self.cpu_s = self.daemon.cpu_s()
        self.is_stopped = True
        if self.rng.random() < 0.5:
            self.actions["drain"] += 1
            self.daemon.stop(self.admin.drain)
        else:
            self.daemon.stop()
        self.order("rest")  # Ends clients that do not read, and so do not notice the end.
        self.attend_until("the clients to see the end", lambda: not any(client.tally.open for client in self.clients))
        self.log.read()
        self.counters = last_counters(self.log.file.read_text("utf-8"))
        self.wait_for_datagrams()
        self.add_faults(soak_verdict.judge_counts(self.log, self.counters, self.came)
                        + soak_verdict.judge_reloads(self.reloads.done, self.counters, self.log)
                        + soak_verdict.judge_datagrams(self.counters, self.tally)
                        + soak_verdict.judge_process(self.daemon.stderr_text(), self.daemon.pid,
                                                     self.counters["upgrades"]))
        self.gate_counts = self.gate.stop()
        if self.open_at_the_end == 0:
            self.add_faults(["no stream was open when echod was stopped"])
        if not self.is_sanitized:
            self.add_faults(soak_verdict.judge_memory([(rest.seconds, rest.private_kib) for rest in self.rests]))
