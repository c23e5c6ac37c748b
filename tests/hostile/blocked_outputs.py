"""Outputs of the daemon that block: a service manager, a terminal, a pipe, a socket, a disk.

They block from before the start, from some time while it serves, or from the begin of its stop. The daemon's main
thread makes no call that can block on them: clients are served, SIGUSR1 and SIGHUP take effect, and a stop ends within
drain_s plus a fixed time.
"""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import clients
from echod_process import wait_until
from scenario_run import HELD_SHARE, NotPossible, ScenarioRun

MOMENTS = ("before", "serving", "draining")
DRAIN_S = 2
END_S = 5.0  # How much longer than drain_s a stop may take.
OBEY_S = 10.0
HANG_S = 300  # Longer than a scenario takes.
VISITS = 200
IDLE = 50

CONFIG = """
workers = 2
[timeouts]
idle_s = {idle_s}
drain_s = {drain_s}
[log]
file = "{log}"
stderr_level = "debug"
connection_lines_per_second = 0
"""

LOG = "network-server.log"


@dataclass(frozen=True)
class Setting:
    folder: Path  # The directory of the log.
    moment: str  # When the output begins to block; one of MOMENTS.
    run: ScenarioRun


@dataclass
class BlockedOutput:
    """An output of the daemon. `block`: makes it block. `options`: of EchodProcess, for the daemon that uses it."""

    block: Callable[[], None]
    options: dict[str, object] = field(default_factory=dict)
    obeys_reopen: bool = True  # False: SIGUSR1 cannot open a new log file while this blocks.
    obeys_reload: bool = True  # False: SIGHUP cannot read the configuration while this blocks.
    is_traced: bool = False  # strace makes system calls cost more, so CPU time is not checked.
    recover: Callable[[], None] = lambda: None  # Takes what waits, checks it, and blocks again.


def fill(put: Callable[[bytes], int], most: float = float("inf")) -> int:
    """Calls `put` until it would block, or until it has taken `most` bytes. Returns the number of bytes."""
    size, taken = 4096, 0
    while size > 0 and taken < most:
        try:
            taken += put(b"." * int(min(size, most - taken)))
        except BlockingIOError:
            size //= 2
    return taken


def fill_file(path: str, most: float = float("inf")) -> int:
    """Fills a file. Opens it anew, because O_NONBLOCK on the same open file would affect the daemon too."""
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return fill(partial(os.write, fd), most)
    finally:
        os.close(fd)


class Reader:
    """Reads and drops what comes, in a thread, until it is stopped."""

    def __init__(self, fd: int):
        self._fd = fd
        self._is_stopped = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while not self._is_stopped.is_set():
            if poll.poll(10):
                os.read(self._fd, 65536)

    def stop(self) -> None:
        self._is_stopped.set()
        self._thread.join()


@contextmanager
def read_until_blocked(fd: int, fill_it: Callable[[], object], **how: Any) -> Iterator[BlockedOutput]:
    reader = Reader(fd)

    def block() -> None:
        reader.stop()
        fill_it()

    try:
        yield BlockedOutput(block, **how)
    finally:
        reader.stop()


@contextmanager
def manager(setting: Setting) -> Iterator[BlockedOutput]:
    """A service manager whose socket is full."""
    path = str(setting.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        receiver.bind(path)
        receiver.setblocking(False)
        sender.setblocking(False)
        said: list[bytes] = []

        def is_ready() -> bool:
            try:
                while True:
                    said.append(receiver.recv(65536))
            except BlockingIOError:
                return any(b"READY=1" in message.split(b"\n") for message in said)

        def fill_queue() -> None:
            fill(lambda _: sender.sendto(b".", path))

        def take_some() -> None:
            wait_until("READY=1 to be sent again", is_ready, OBEY_S)
            fill_queue()

        with read_until_blocked(receiver.fileno(), fill_queue, recover=take_some, options={
                "environment": {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}}) as output:
            yield output


@contextmanager
def terminal(_: Setting) -> Iterator[BlockedOutput]:
    """A terminal that is not read. It has space for some bytes, so poll(2) reports it writable, but a line blocks."""
    room = 500
    ends = [*os.openpty(), *os.openpty()]
    try:
        most = fill_file(os.ttyname(ends[3]))
        with read_until_blocked(ends[0], lambda: fill_file(os.ttyname(ends[1]), most - room),
                                options={"stderr": ends[1]}) as output:
            yield output
    finally:
        for end in ends:
            os.close(end)


@contextmanager
def pipe(_: Setting) -> Iterator[BlockedOutput]:
    """A pipe whose reader has stopped reading."""
    reader, writer = os.pipe()
    try:
        with read_until_blocked(reader, lambda: fill_file(f"/proc/self/fd/{writer}"),
                                options={"stderr": writer}) as output:
            yield output
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def trickle(_: Setting) -> Iterator[BlockedOutput]:
    """A full pipe whose reader reads a line from time to time."""
    line_s = 0.09
    reader, writer = os.pipe2(os.O_DIRECT)  # Each line takes a buffer of the pipe.

    def read_slowly() -> None:
        while os.read(reader, 65536):
            time.sleep(line_s)
        os.close(reader)

    thread = Thread(target=read_slowly, daemon=True)

    def fill_and_read_slowly() -> None:
        fill_file(f"/proc/self/fd/{writer}")
        thread.start()

    try:
        with read_until_blocked(reader, fill_and_read_slowly, options={"stderr": writer}) as output:
            yield output
    finally:
        os.close(writer)


@contextmanager
def stream(_: Setting) -> Iterator[BlockedOutput]:
    """A stream socket whose reader has stopped reading, like a logger that hangs."""
    reader, writer = socket.socketpair()
    with reader, writer, read_until_blocked(
            reader.fileno(), lambda: fill(lambda data: writer.send(data, socket.MSG_DONTWAIT)),
            options={"stderr": writer.fileno()}) as output:
        yield output


class Tracer:
    """Uses strace(1) to delay system calls on a file by HANG_S."""

    def __init__(self, setting: Setting, calls: str):
        if not which("strace"):
            raise NotPossible("strace(1) is missing")
        self.run = setting.run
        self.output = setting.folder / "strace"
        self.words = ["strace", "-f", "-qq", "-o", str(self.output), "-e", f"trace={calls}",
                      "-e", f"inject={calls}:delay_enter={HANG_S}s"]
        self.process: subprocess.Popen[bytes] | None = None

    def wrapper(self, file: Path) -> list[str]:
        """The command before the daemon's. -D keeps the daemon our child."""
        return [*self.words, "-D", "-P", str(file)]

    def attach(self, file: Path) -> None:
        pid = self.run.daemon.pid
        process = subprocess.Popen([*self.words, "-P", str(file), "-p", str(pid)], stderr=subprocess.PIPE)
        self.process = process
        wait_until("strace(1)", lambda: process.poll() is not None or self.run.daemon.is_traced())
        if process.poll() is not None:
            assert process.stderr
            raise NotPossible(f"strace(1): {process.stderr.read().decode().strip()}")

    def end(self) -> None:
        self.run.close()
        if self.process:
            self.process.communicate()
        self.run.check(not self.output.exists() or self.output.stat().st_size > 0, "no call was delayed")


@contextmanager
def hung(calls: str, setting: Setting, **how: bool) -> Iterator[BlockedOutput]:
    tracer = Tracer(setting, calls)
    log_file = setting.folder / ("" if "open" in calls else LOG)  # The log is opened by openat(2) on its folder.
    try:
        if setting.moment == "before":
            yield BlockedOutput(lambda: None, {"wrapper": tracer.wrapper(log_file)}, is_traced=True, **how)
        else:
            yield BlockedOutput(lambda: tracer.attach(log_file if how.get("obeys_reload", True) else
                                                      setting.run.daemon.config_file), is_traced=True, **how)
    finally:
        tracer.end()


def hung_disk(setting: Setting) -> AbstractContextManager[BlockedOutput]:
    """Writing the log hangs."""
    return hung("write,writev,fsync,fdatasync", setting, obeys_reopen=False)


def hung_folder(setting: Setting) -> AbstractContextManager[BlockedOutput]:
    """Opening the log hangs after SIGUSR1."""
    return hung("openat,open", setting, obeys_reopen=False)


def hung_config(setting: Setting) -> AbstractContextManager[BlockedOutput]:
    """Opening the configuration hangs after SIGHUP."""
    return hung("openat,open", setting, obeys_reload=False)


def run_with(kind: Callable[[Setting], AbstractContextManager[BlockedOutput]], moment: str, run: ScenarioRun) -> None:
    with TemporaryDirectory(prefix="echod-outputs-") as name:
        setting = Setting(Path(name), moment, run)
        with kind(setting) as output:
            if moment == "before":
                output.block()
            log_file = setting.folder / LOG
            run.start(config(setting, 0), bulk=False, connections=2,
                      options={"log_file": log_file, **output.options})
            if moment == "serving":
                output.block()
            if moment != "draining":
                serve_and_obey(setting, output)
            stop(setting, output)


def config(setting: Setting, idle_s: int) -> str:
    return CONFIG.format(idle_s=idle_s, drain_s=DRAIN_S, log=setting.folder / LOG)


def serve_and_obey(setting: Setting, output: BlockedOutput) -> None:
    run = setting.run
    for _ in range(VISITS):  # Each writes at least one line to the log.
        run.visit()
    if not output.is_traced:
        run.pinger.wait_for_pings(20)
        share = run.share_of_cpu(HELD_SHARE)
        run.check(share.is_kept, f"{share.most:.1%} of a CPU while nothing moves; the bound is {share.bound:.1%}")
    log_file = setting.folder / LOG
    if output.obeys_reopen:
        log_file.rename(log_file.with_suffix(".1"))
    run.daemon.signal(signal.SIGUSR1)
    if output.obeys_reopen:
        wait_until("the log to be reopened", log_file.exists, OBEY_S)
    with clients.connect(run.port) as silent:
        clients.echo(silent, b"I am served")
        run.daemon.config_file.write_text(config(setting, 1), encoding="utf-8")
        run.daemon.signal(signal.SIGHUP)
        if output.obeys_reload:
            run.check(clients.ends_orderly(silent, OBEY_S), "SIGHUP had no effect: the new idle_s closed no client")
    for _ in range(VISITS):
        run.visit()
    run.did(2 * VISITS, "clients were served")
    output.recover()


def stop(setting: Setting, output: BlockedOutput) -> None:
    """Stops the daemon and checks how long that takes. One client does not read, so the drain lasts drain_s."""
    run = setting.run
    report = run.pinger.stop()
    run.result.pings = report
    run.check(not report.error, f"the well-behaved client: {report.error}")
    idle = clients.connect_many(run.port, IDLE)
    deaf, = clients.connect_many(run.port, 1, 4096)
    with deaf:
        clients.send_until_full(deaf, bytes(65536))
        start = time.monotonic()
        run.daemon.signal(signal.SIGTERM)
        if setting.moment == "draining":
            wait_until("the drain", lambda: "stopping because of " in run.daemon.text())
            output.block()
            run.daemon.signal(signal.SIGUSR1)
            run.daemon.signal(signal.SIGHUP)
        wait_until(f"echod to end, with drain_s = {DRAIN_S}", run.daemon.has_exited, DRAIN_S + END_S)
        run.did(round(1000 * (time.monotonic() - start)), f"ms to stop, of which drain_s is {1000 * DRAIN_S}")
        run.daemon.release()
        status = run.daemon.wait()
        run.check(status == 0, f"echod ended with status {status}")
    clients.close_all(idle)


OUTPUTS = (manager, terminal, pipe, trickle, stream, hung_disk, hung_folder, hung_config)
# hung_config cannot block before the start, because the start reads the configuration.
SCENARIOS: dict[str, Callable[[ScenarioRun], None]] = {
    f"{kind.__name__}_{moment}": partial(run_with, kind, moment)
    for kind in OUTPUTS for moment in MOMENTS if (kind, moment) != (hung_config, "before")}
