"""One echod under faults: its configuration and environment, and how it is told to do something."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import stream_sockets
from echod_process import Broken, EchodProcess, wait_until
from records import Record, numbered

PORT = re.compile(r"listening on (?:\[::\]|0\.0\.0\.0|127\.0\.0\.1):(\d+), backlog")  # The first listener only.
UDP_PORT = re.compile(r"listening on udp \S+:(\d+), ")
STARTED = re.compile(r"started: echod")
AGAIN = "; send it again"  # Logged when echod had no memory to act on a signal.
# Then the signal is sent again, as an operator would do: the fault may have hit the reaction or its message.
REACTION_S = 0.6
END_S = 20.0
UPGRADED, REFUSED = "has replaced echod", "reload: refused"
MOST_TRIES = 25  # Of an upgrade. One that fails may make only one of 20 allocations that fail in a row.

# Addresses, names and paths are too long for std::string to hold without an allocation. (127.0.0.1 is written as an
# IPv4-mapped IPv6 address, which works without IPv6.)
LOGS = "the log files of a daemon that is tortured"
RUNTIME = "the run-time files of a tortured daemon"
NAMES = "a-socket-unit-with-a-long-name.socket"
MAPPED = "0000:0000:0000:0000:0000:ffff:127.0.0."
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
stalled_write_s = 30
linger_s = 0.5
drain_s = 5
[socket]
send_buffer_kib = 64
[log]
file = "{logs}/network-server.log"
file_level = "{level}"
connection_lines_per_second = 0
[admin]
address = "{mapped}1"
port = {admin_port}
"""


def listeners(*hosts: int) -> str:
    return "".join(f'[[listen]]\naddress = "{MAPPED}{host}"\nport = 0\n' for host in hosts)


DATAGRAMS = f'[[listen]]\nprotocol = "udp"\naddress = "{MAPPED}1"\nport = 0\n'
LOCAL = f'[[listen]]\npath = "echo.sock"\ngroup = "{os.getgid()}"\n'


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


class TorturedEchod(EchodProcess):
    """Starts echod. `command`: echod, maybe after a wrapper. `plan`: $ECHOD_FAULT. With `manager` the daemon is started
    as by a service manager, logs at level trace, and is stopped by a line on standard input.

    `retries` counts signals that were sent again, `refusals` reloads and upgrades that echod refused.
    """

    def __init__(self, command: list[str], directory: Path, plan: str, manager: Manager | None):
        self.manager = manager
        self.record_file = directory / "record"
        self.retries = 0
        self.refusals = 0
        self.reaction_s = REACTION_S if plan else END_S
        (directory / LOGS).mkdir()
        (directory / RUNTIME).mkdir()
        self.admin_socket = directory / RUNTIME / "admin.sock"
        self.echo_socket = directory / RUNTIME / "echo.sock"
        self.leave_sockets_behind(self.admin_socket if manager else self.echo_socket)
        self._reserved = contextlib.ExitStack()
        self.admin_port = self._reserved.enter_context(stream_sockets.reserved_port())
        config = CONFIG.format(address=f"{MAPPED}1" if manager else "::", logs=LOGS,
                               further="" if manager else listeners(2, 3) + DATAGRAMS + LOCAL,
                               level="trace" if manager else "debug", mapped=MAPPED, admin_port=self.admin_port,
                               port=manager.listener.getsockname()[1] if manager else 0)
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "ECHOD_FAULTS": str(self.record_file),
                       "RUNTIME_DIRECTORY": str(directory / RUNTIME),
                       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1:exitcode=99"),
                       "UBSAN_OPTIONS": "print_stacktrace=1"}
        if plan:
            environment["ECHOD_FAULT"] = plan
        wrapper = command[:-1]
        number = manager.listener.fileno() if manager else -1
        if manager:
            stderr_file = directory / "stderr"
            stderr_file.touch()
            status = stderr_file.stat()
            environment |= {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "20000000",
                            "LISTEN_FDS": "1", "LISTEN_FDNAMES": NAMES,
                            "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            move = "" if number == 3 else f"exec 3<&{number} {number}<&-;"
            # LISTEN_PID must be the process that takes the sockets, so bash sets it and becomes echod.
            wrapper = ["/bin/bash", "-c", move + 'export LISTEN_PID=$$; exec "$@"', "bash", *wrapper]
        super().__init__(Path(command[-1]), config, directory=directory, waits=False,
                         wrapper=["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *wrapper],
                         arguments=["--quit-on-stdin"] if manager else [], pass_fds=(number,) if manager else (),
                         stdin=subprocess.PIPE if manager else subprocess.DEVNULL,
                         log_file=directory / LOGS / "network-server.log")

    @staticmethod
    def leave_sockets_behind(path: Path) -> None:
        """Leaves the sockets of a daemon that was killed: one that it served, and one that it was about to rename."""
        for name in (path, f"{path}.new"):
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(str(name))

    def wait_until(self, what: str, is_so: Callable[[], object], seconds: float = END_S) -> None:
        """As wait_until() of echod_process.py. Also receives what the daemon tells the manager."""
        def is_so_now() -> object:
            if self.manager:
                self.manager.listen()
            return is_so()
        wait_until(what, is_so_now, seconds, most_pause_s=0.002)

    def allocations(self) -> int:
        """Returns how many allocations it has made so far."""
        return Record.read(numbered(self.record_file, 1)).allocations

    def wait_for_port(self) -> int | None:
        """Waits for the start. Returns the port, or None if the daemon has ended."""
        # The log file and standard error have their own threads: a line that one of them loses is in the other.
        def serves() -> bool:
            text = self.text()
            return STARTED.search(text) is not None and PORT.search(text) is not None
        self.wait_until("the start or the end", lambda: not self.is_running() or serves())
        port = PORT.search(self.text())
        return int(port[1]) if port and self.is_running() else None

    def upgrade(self) -> None:
        """Upgrades it in place to a configuration with another listener and another length of the log queue. If it
        refuses, tries again, up to MOST_TRIES times.
        """
        text = self.config_file.read_text("utf-8")
        self.config_file.write_text(text.replace(listeners(2, 3), listeners(2, 4))
                                    .replace("[log]\n", "[log]\nqueue_lines = 1000\n"), encoding="utf-8")
        for _ in range(MOST_TRIES):
            refused, without_memory = self.count(REFUSED), self.count(AGAIN)
            self.signal(signal.SIGHUP)
            self.wait_until("the end of an upgrade", lambda: not self.is_running() or self.count(UPGRADED) > 0
                            or self.count(REFUSED) > refused or self.count(AGAIN) > without_memory)
            if not self.is_running() or self.count(UPGRADED) > 0:
                return
            self.refusals += self.count(REFUSED) > refused

    def count(self, words: str) -> int:
        """Returns how often it has logged them. A fault may keep a line from the log file or from standard error."""
        return max(self.stderr_text().count(words), self.log_text().count(words))

    def tell(self, number: int, reaction: str) -> None:
        """Sends a signal, up to three times, until `reaction` was logged once more."""
        seen = len(re.findall(reaction, self.text()))
        for attempt in range(3):
            if not self.is_running():
                return
            self.retries += attempt > 0
            try:
                self.wait_until(f"a reaction to {signal.Signals(number).name}: {reaction}",
                                self.reacts(number, reaction, seen), self.reaction_s)
                return
            except Broken:
                if attempt == 2:
                    raise

    def reacts(self, number: int, reaction: str, seen: int) -> Callable[[], bool]:
        """Returns a condition that sends the signal, and sends it again whenever the daemon had no memory for it."""
        refused = -1

        def has_reacted() -> bool:
            nonlocal refused
            text = self.text()
            if text.count(AGAIN) > refused:
                refused = text.count(AGAIN)
                self.signal(number)
            return not self.is_running() or len(re.findall(reaction, text)) > seen
        return has_reacted

    def ask_to_stop(self) -> None:
        """Stops it by a signal, or by a line on standard input. If a line is not noticed, sends another."""
        if not self.manager:
            self.signal(signal.SIGTERM)
            return
        assert self.process.stdin is not None
        for line in (b"x" * 5000 + b"\n", b"\n", b"\n"):  # The first is longer than one read.
            os.write(self.process.stdin.fileno(), line)
            try:
                self.wait_until("the stop", lambda: not self.is_running() or "stopping because of " in self.text(), REACTION_S)
                return
            except Broken:
                self.retries += 1

    def wait_for_end(self) -> None:
        self.wait_until("the end", lambda: not self.is_running())

    def kill(self) -> None:
        super().kill()
        self._reserved.close()
        if self.process.stdin:
            self.process.stdin.close()
