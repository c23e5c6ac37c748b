"""One echod under faults: its process, its output, and its descriptors."""

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PORT = re.compile(r"listening on (?:\[::\]|0\.0\.0\.0|127\.0\.0\.1):(\d+), backlog")  # The first listener only.
STARTED = re.compile(r"started: echod")
AGAIN = "; send it again"  # Logged when echod had no memory to act on a signal.
# Then the signal is sent again, as an operator would do: the fault may have hit the reaction or its message.
REACTION_S = 0.6
END_S = 20.0

# Addresses, names and paths are too long for std::string to hold without an allocation. (127.0.0.1 is written as an
# IPv4-mapped IPv6 address, which works without IPv6.)
LOGS = "the log files of a daemon that is tortured"
NAMES = "a-socket-unit-with-a-long-name.socket"
FURTHER = "".join(f'[[listen]]\naddress = "0000:0000:0000:0000:0000:ffff:127.0.0.{host}"\nport = 0\n' for host in (2, 3))
CONFIG = """
workers = 2
[[listen]]
address = "{address}"
port = {port}
backlog = 128
{further}
[limits]
max_connections = 40
open_files = 512
[buffers]
per_connection_kib = 2048
total_mib = 4
splice = true
[turn]
bytes_kib = 128
reads = 4
accepts = 4
[timeouts]
idle_s = 30
stalled_write_s = 5
linger_s = 0.5
drain_s = 5
[socket]
send_buffer_kib = 64
[log]
file = "{logs}/network-server.log"
file_level = "{level}"
connection_lines_per_second = 0
"""


class Hung(Exception):
    """The daemon did not do something in time."""


@dataclass
class Manager:
    """Plays the service manager: a socket for notifications, and a listening socket to pass."""

    notify: socket.socket
    listener: socket.socket
    messages: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, directory: Path) -> "Manager":
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        notify.bind(str(directory / "notify"))
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        return cls(notify, listener)

    def listen(self) -> None:
        """Receives all waiting messages, so that the queue does not fill up and delay the daemon."""
        while True:
            try:
                self.messages.append(self.notify.recv(65536).decode())
            except BlockingIOError:
                return

    def close(self) -> None:
        self.notify.close()
        self.listener.close()


class Daemon:
    """Starts echod. `plan`: $ECHOD_FAULT. With `manager` the daemon is started as by a service manager, logs at level
    trace, and is stopped by a line on standard input.
    """

    def __init__(self, command: list[str], directory: Path, plan: str, manager: Manager | None):
        self.directory = directory
        self.log_file = directory / LOGS / "network-server.log"
        self.log_file.parent.mkdir()
        self.stderr_file = directory / "stderr"
        self.record_file = directory / "record"
        self.manager = manager
        self.status: int | None = None  # The exit status; negative for a signal, as in subprocess.
        self.cpu_s = 0.0
        self.retries = 0
        self.reaction_s = REACTION_S if plan else END_S
        self._seen = 0
        config = directory / "the configuration of a daemon that is tortured.toml"
        config.write_text(CONFIG.format(
            address="0000:0000:0000:0000:0000:ffff:127.0.0.1" if manager else "::",
            further="" if manager else FURTHER, logs=LOGS, level="trace" if manager else "debug",
            port=manager.listener.getsockname()[1] if manager else 0), encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "ECHOD_FAULTS": str(self.record_file),
                       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1:exitcode=99"),
                       "UBSAN_OPTIONS": "print_stacktrace=1"}
        if plan:
            environment["ECHOD_FAULT"] = plan
        full = [*command, "--config", str(config)]
        passes: tuple[int, ...] = ()
        with self.stderr_file.open("wb") as stderr:
            if manager:
                status = os.fstat(stderr.fileno())
                number = manager.listener.fileno()
                passes = (number,)
                environment |= {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "20000000",
                                "LISTEN_FDS": "1", "LISTEN_FDNAMES": NAMES,
                                "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
                move = "" if number == 3 else f"exec 3<&{number} {number}<&-;"
                # LISTEN_PID must be the process that takes the sockets, so bash sets it and becomes echod.
                full = ["/bin/bash", "-c", move + 'export LISTEN_PID=$$; exec "$@"', "bash", *full, "--quit-on-stdin"]
            # No with statement: has_ended() reaps the process, and reads the resources that it used.
            self.process = subprocess.Popen(full, cwd=directory, env=environment, stderr=stderr, pass_fds=passes,
                                            stdin=subprocess.PIPE if manager else subprocess.DEVNULL)

    def text(self) -> str:
        """Everything on its standard error and in its log files."""
        files = [self.stderr_file, *sorted(self.log_file.parent.glob("network-server.log*"))]
        return "".join(file.read_text("utf-8", "replace") for file in files if file.exists())

    def has_ended(self) -> bool:
        if self.status is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.cpu_s = usage.ru_utime + usage.ru_stime
                self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait_until(self, what: str, is_so, seconds: float = END_S) -> None:
        """Polls for what has no event to wait on: lines in files, descriptors, the end. Raises Hung after `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if self.manager:
                self.manager.listen()
            if time.monotonic() > deadline:
                raise Hung(what)
            time.sleep(0.002)

    def start(self) -> int | None:
        """Waits for the start. Returns the port, or None if the daemon has ended."""
        # The log file and standard error have their own threads: a line that one of them loses is in the other.
        def serves() -> bool:
            text = self.text()
            return STARTED.search(text) is not None and PORT.search(text) is not None
        self.wait_until("it neither serves nor ends", lambda: self.has_ended() or serves())
        port = PORT.search(self.text())
        if self.has_ended() or port is None:
            return None
        return int(port[1])

    def tell(self, number: int, reaction: str) -> None:
        """Sends a signal, up to three times, until `reaction` was logged once more."""
        seen = len(re.findall(reaction, self.text()))
        for attempt in range(3):
            if self.has_ended():
                return
            self.retries += attempt > 0
            try:
                self.wait_until(f"no reaction to {signal.Signals(number).name}: {reaction}",
                                self.reacts(number, reaction, seen), self.reaction_s)
                return
            except Hung:
                if attempt == 2:
                    raise

    def reacts(self, number: int, reaction: str, seen: int):
        """Returns a condition that sends the signal, and sends it again whenever the daemon had no memory for it."""
        refused = -1

        def has_reacted() -> bool:
            nonlocal refused
            text = self.text()
            if text.count(AGAIN) > refused and not self.has_ended():
                refused = text.count(AGAIN)
                os.kill(self.process.pid, number)
            return self.has_ended() or len(re.findall(reaction, text)) > seen
        return has_reacted

    def descriptors(self) -> list[str]:
        """The kinds of its open descriptors. Without the log file, which faults may close, and without pipes, which it
        keeps.
        """
        folder = Path(f"/proc/{self.process.pid}/fd")
        kinds = []
        for entry in folder.iterdir() if folder.exists() else ():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue
            if "network-server.log" not in target and not target.startswith("pipe:"):
                kinds.append(re.sub(r":\[\d+\]", "", target))
        return sorted(kinds)

    def stop(self) -> None:
        """Stops it by a signal, or by a line on standard input. If a line is not noticed, sends another."""
        if not self.manager:
            os.kill(self.process.pid, signal.SIGTERM)
            return
        assert self.process.stdin is not None
        for line in (b"x" * 5000 + b"\n", b"\n", b"\n"):  # The first is longer than one read.
            os.write(self.process.stdin.fileno(), line)
            try:
                self.wait_until("it does not stop", lambda: self.has_ended() or "stopping: " in self.text(),
                                REACTION_S)
                return
            except Hung:
                self.retries += 1

    def wait(self) -> None:
        self.wait_until("it does not end", self.has_ended)

    def kill(self) -> None:
        if not self.has_ended():
            self.process.kill()
            self.wait()
        if self.process.stdin:
            self.process.stdin.close()
