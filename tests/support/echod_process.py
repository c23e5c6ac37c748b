"""Runs the real echod for a Python test: the built binary, with its own directory and a configuration given as text.

By default the daemon serves when the constructor returns. Everything is observed from outside the process.
"""

import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0  # Does not measure speed: a test that passes never waits this long.
ASK_AGAIN_S = 2.0

LISTENING = re.compile(r"listening on (\S+):(\d+), backlog")
LISTENING_UDP = re.compile(r"listening on udp (\S+):(\d+), receive buffer")
TRACER = re.compile(r"^TracerPid:\t([1-9]\d*)$", re.MULTILINE)
COUNTERS = re.compile(r"counters: (.*)")
BAD = (" - WARNING - ", " - ERROR - ", " - CRITICAL - ", "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
       "runtime error:", "invariant violated")


class Broken(Exception):
    """The daemon did not do what it must."""


def wait_until(what: str, is_so: Callable[[], object], seconds: float = PATIENCE_S, most_pause_s: float = 0.02) -> None:
    """Polls for what has no event to wait on: lines in files, files under /proc. Raises Broken after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while not is_so():
        if time.monotonic() > deadline:
            raise Broken(f"timed out after {seconds:g} s waiting for {what}")
        time.sleep(pause)
        pause = min(2 * pause, most_pause_s)


def last_counters(text: str) -> dict[str, int]:
    """Returns the values of the last line of counters in a log."""
    pairs = COUNTERS.findall(text)[-1].split()
    return {name: int(value) for name, value in (pair.split("=") for pair in pairs)}


class EchodProcess:
    """One echod. As a context manager it kills the daemon if it was not stopped.

    `config`: TOML; without [[listen]], echod listens on a free port of 127.0.0.1. `wrapper`: a command that executes
    its arguments in the same process, such as `ip netns exec NAME` or `taskset -c 1`. `limits`: for prlimit(1), soft
    and hard, such as {"nofile": 64, "as": 400 << 20}. `log_file`: the log file that the configuration names, if that is
    not network-server.log. `stderr`: a descriptor for stderr, in place of a file that is read here; the log file must
    then contain the level INFO. `stdin`, `pass_fds`: for subprocess.Popen. `directory`: its directory, which is kept;
    by default a temporary one. `waits`: False: the constructor returns before it serves, and sets no
    `listeners`.
    """

    def __init__(self, echod: Path, config: str = "", *, wrapper: Sequence[str] = (),
                 limits: Mapping[str, int] | None = None, arguments: Sequence[str] = (),
                 environment: Mapping[str, str] | None = None, log_file: Path | None = None,
                 stderr: int | None = None, stdin: int = subprocess.DEVNULL, pass_fds: Sequence[int] = (),
                 directory: Path | None = None, waits: bool = True):
        self._is_temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="echod-test-"))
        self.config_file = self.directory / "echod.toml"
        self.log_file = log_file or self.directory / "network-server.log"
        self.stderr_file = self.directory / "stderr"
        self.config_file.write_text(config, encoding="utf-8")
        # Where the start and the counters are reported.
        self.report_text = self.stderr_text if stderr is None else self.log_text
        self._allowed: list[str] = []
        self._expected: list[str] = []
        words = [*wrapper]
        if limits:
            words += ["prlimit", *(f"--{name}={value}:{value}" for name, value in limits.items()), "--"]
        words += [str(echod), "--config", str(self.config_file)]
        if "[[listen]]" not in config:
            words += ["--address", "127.0.0.1", "--port", "0"]
        with self.stderr_file.open("wb") as stderr_file:
            self.process = subprocess.Popen([*words, *arguments], cwd=self.directory, stdin=stdin, pass_fds=pass_fds,
                                            stderr=stderr_file if stderr is None else stderr,
                                            env={**os.environ, **(environment or {})})
        self._cpu_s_at_end = math.nan
        if waits:
            self._wait_for_start()

    def _wait_for_start(self) -> None:
        try:
            wait_until("the start", lambda: "- started: " in self.report_text() or not self.is_running())
            if not self.is_running():
                raise Broken(f"echod did not start; its exit status is {self.process.returncode}")
        except BaseException as error:
            said = self.text()
            self.kill()
            raise Broken(f"{error}\n{said}") from error
        self.listeners = [(host.strip("[]"), int(port)) for host, port in LISTENING.findall(self.report_text())]
        self.datagram_listeners = [(host.strip("[]"), int(port))
                                   for host, port in LISTENING_UDP.findall(self.report_text())]
        self.descriptors_at_start = len(self.descriptors())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def _proc(self) -> Path:
        return Path(f"/proc/{self.pid}")

    @property
    def port(self) -> int:
        return self.listeners[0][1]

    @property
    def ports(self) -> list[int]:
        return [port for _, port in self.listeners]

    def is_running(self) -> bool:
        """If it has ended, reaps it. Popen.poll() would lose its CPU time, so no method of Popen that polls is used."""
        if self.process.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid != 0:
                self._cpu_s_at_end = usage.ru_utime + usage.ru_stime
                self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode is None

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Waits for its end. Returns the exit status; negative for a signal, as in subprocess."""
        wait_until("echod to end", lambda: not self.is_running(), seconds)
        assert self.process.returncode is not None
        return self.process.returncode

    def has_exited(self) -> bool:
        """True even while a tracer delays one of its threads. Call it before is_running(), which reaps the process."""
        return "\nState:\tZ" in (self._proc / "status").read_text()

    # Its output.

    def stderr_text(self) -> str:
        return self.stderr_file.read_text("utf-8", "replace")

    def log_text(self) -> str:
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def text(self) -> str:
        """Everything on its standard error and in its log files, rotated ones too."""
        logs = sorted(self.log_file.parent.glob(f"{self.log_file.name}*"))
        return self.stderr_text() + "".join(log.read_text("utf-8", "replace") for log in logs)

    def wait_for_log(self, words: str, times: int = 1) -> None:
        wait_until(f"the log line '{words}'", lambda: self.log_text().count(words) >= times)

    def counters(self) -> dict[str, int]:
        """Asks echod for its counters (SIGUSR2). It asks again, because a full log queue may drop the answer."""
        seen = len(COUNTERS.findall(self.report_text()))
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not self.is_running():
                raise Broken(f"echod has ended with status {self.process.returncode}\n{self.text()[-2000:]}")
            self.signal(signal.SIGUSR2)
            try:
                wait_until("the counters", lambda: len(COUNTERS.findall(self.report_text())) > seen, ASK_AGAIN_S)
            except Broken:
                continue
            return last_counters(self.report_text())
        raise Broken("timed out waiting for the counters")

    def wait_for_counter(self, name: str, value: int, seconds: float = PATIENCE_S) -> None:
        wait_until(f"{name} to reach {value}", lambda: self.counters()[name] >= value, seconds)

    # Its resources, from the kernel.

    def cpu_s(self) -> float:
        """CPU time of all its threads so far, to the nanosecond; to the microsecond when it has ended."""
        if not self.is_running():
            return self._cpu_s_at_end
        cpu_clock = (~self.pid << 3) | 2  # As clock_getcpuclockid(3) computes it.
        return time.clock_gettime_ns(cpu_clock) / 1e9

    def waited_for_cpu_s(self) -> float:
        """How long its threads were ready to run but had no CPU."""
        return sum(int((task / "schedstat").read_text("ascii").split()[1])
                   for task in (self._proc / "task").iterdir()) / 1e9

    def private_kib(self) -> int:
        """Private dirty memory: pages that it wrote to and does not share."""
        return self._kib("smaps_rollup", "Private_Dirty")

    def rss_kib(self) -> int:
        return self._kib("status", "VmRSS")

    def virtual_kib(self) -> int:
        """The size that RLIMIT_AS limits."""
        return self._kib("status", "VmSize")

    def data_kib(self) -> int:
        """The size that RLIMIT_DATA limits."""
        return self._kib("status", "VmData")

    def forget_peak(self) -> None:
        (self._proc / "clear_refs").write_text("5", encoding="ascii")

    def peak_kib(self) -> int:
        """The maximum of rss_kib() since forget_peak()."""
        return self._kib("status", "VmHWM")

    def _kib(self, file: str, name: str) -> int:
        for line in (self._proc / file).read_text("ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise Broken(f"no {name} in {file} of process {self.pid}")

    def descriptors(self) -> list[str]:
        """What its open descriptors are, sorted. Without the log file, because a thread may open it after the start.
        Without pipes, because workers keep those that they have used for splice. Empty if it has ended.
        """
        kinds = []
        folder = self._proc / "fd"
        for entry in folder.iterdir() if folder.exists() else ():
            with suppress(FileNotFoundError):  # It was closed just now.
                target = os.readlink(entry)
                if self.log_file.name not in target and not target.startswith("pipe:"):
                    kinds.append(re.sub(r":\[\d+\]", "", target))
        return sorted(kinds)

    # Control.

    def signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)
        tasks = self._proc / "task"
        wait_until("every thread to stop",
                   lambda: all("\nState:\tT" in (task / "status").read_text() for task in tasks.iterdir()))

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def reload(self, config: str) -> None:
        """Replaces the config file and sends SIGHUP; returns when the reload was applied."""
        applied = self.text().count("reload: applied")
        self.config_file.write_text(config, encoding="utf-8")
        self.signal(signal.SIGHUP)
        wait_until("the reload", lambda: self.text().count("reload: applied") > applied)

    def allow_log(self, *words: str) -> None:
        """stop() accepts warnings and errors that contain one of these texts."""
        self._allowed += words

    def expect_log(self, *words: str) -> None:
        """As allow_log(), and stop() fails if one of the texts was not logged."""
        self._expected += words

    def stop(self, order: Callable[[], object] | None = None) -> None:
        """The end of every test: sends SIGTERM, or stops it by `order`, and checks for exit status 0 and for no
        unexpected warning or error.
        """
        if order:
            order()
        else:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except Broken as error:
            raise Broken(f"echod does not stop\n{self.text()[-4000:]}") from error
        lines = self.text().splitlines()
        known = self._allowed + self._expected
        wrong = [line for line in lines
                 if any(bad in line for bad in BAD) and not any(words in line for words in known)]
        wrong += [f"never logged: {words}" for words in self._expected if not any(words in line for line in lines)]
        if status != 0:
            wrong += [f"exit status {status}", *lines[-20:]]
        if wrong:
            raise Broken("when echod stopped:\n" + "\n".join(wrong[:40]))

    def tracers(self) -> list[int]:
        """The process IDs of the tracers of its threads, one for each traced thread."""
        found = []
        for status in self._proc.glob("task/*/status"):
            with suppress(FileNotFoundError, ProcessLookupError):  # The thread has ended.
                found += [int(pid) for pid in TRACER.findall(status.read_text())]
        return found

    def is_traced(self) -> bool:
        """Whether all its threads are traced."""
        return len(self.tracers()) == len(list(self._proc.glob("task/*")))

    def release(self) -> None:
        """Kills its tracers, such as strace(1): a system call that a tracer delays would keep echod from ending."""
        for tracer in set(self.tracers()):
            with suppress(ProcessLookupError):
                os.kill(tracer, signal.SIGKILL)
        wait_until("the tracer to end", lambda: not self.tracers())

    def kill(self) -> None:
        self.release()
        self.signal(signal.SIGKILL)
        self.wait()
        if self._is_temporary:
            shutil.rmtree(self.directory, ignore_errors=True)
