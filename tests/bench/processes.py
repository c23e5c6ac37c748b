"""Processes that do not outlive us, on CPUs of their choice, and what a tree of them uses."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SERVER_CPU, CLIENT_CPU = 0, -1


def pinned(index):
    """Runs what follows on one of the CPUs that we may use, if there is more than one."""
    cpus = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cpus[index])] if len(cpus) > 1 else []


def stolen_s():
    """CPU time that the host of this virtual machine gave to others, of all CPUs since the boot."""
    fields = pathlib.Path("/proc/stat").read_text().split(maxsplit=10)
    return int(fields[8]) / TICKS_PER_S


def others_s():
    """CPU time that all other processes have had until now, with those of their children that they have waited for.

    To be asked when nothing that we started is left. What /proc/stat counts less what we had is no measure of it:
    the time in interrupts, half of that on loopback, may be in a process's time and apart from it there.
    """
    pids = [entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid()]
    found = [fields for fields in map(stat_fields, pids) if fields]
    return sum(int(ticks) for fields in found for ticks in fields[11:15]) / TICKS_PER_S


@contextlib.contextmanager
def child(words, **options):
    """A process in a group of its own, which is killed at the end, with its children."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def stat_fields(pid):
    """The fields of /proc/PID/stat from the third (the state) on, or None if it has ended."""
    try:
        # The name, in parentheses, may hold anything.
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def descendants(root):
    """The processes that `root` or a child of it started and that are there, without itself."""
    children = {}
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def cpu_clock_s(pid):
    """The CPU time of a process to the nanosecond, which its ticks are too coarse for when there are many."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # As clock_getcpuclockid(3) makes it.
    return 0.0


def tree_cpu(root):
    """(CPU seconds, user ticks, system ticks) of a process, its descendants, and those that have ended.

    A server that forks for each connection waits for its children: their time is then its own. Those that
    live are read first, so that one that ends meanwhile counts twice rather than never: a millisecond.
    """
    below = descendants(root)
    seconds = sum(cpu_clock_s(pid) for pid in below)
    user = system = 0
    for pid in below:
        fields = stat_fields(pid)
        if fields:
            user += int(fields[11])
            system += int(fields[12])
    fields = stat_fields(root)
    if not fields:
        return None
    own_user, own_system, ended_user, ended_system = (int(field) for field in fields[11:15])
    seconds += cpu_clock_s(root) + (ended_user + ended_system) / TICKS_PER_S
    return seconds, user + own_user + ended_user, system + own_system + ended_system


def kib_of(path, name):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0


def resident_bytes(root, forks):
    """Memory of a server. Of several processes each page that they share counts once, in parts."""
    if not forks:
        return kib_of(f"/proc/{root}/status", "VmRSS") * 1024
    return sum(kib_of(f"/proc/{pid}/smaps_rollup", "Pss") for pid in (root, *descendants(root))) * 1024


class TreeUsage:
    """The CPU time that a server takes, by samples in the midst of a run: for those that fork, and for ping.

    The load is steady, so that the share of a CPU that the server had there is its share all the time.
    """

    def __init__(self, root, forks, warmup_s, seconds):
        self._root = root
        self._forks = forks
        self._warmup_s = warmup_s
        self._seconds = seconds
        self.resident_bytes = 0
        self.cpu_share = self.user_share = None

    def watch(self):
        """From the client's start on; returns before its end."""
        time.sleep(self._warmup_s + self._seconds * 0.2)
        begin_at, begin = time.monotonic(), tree_cpu(self._root)
        time.sleep(self._seconds * 0.6)
        end_at, end = time.monotonic(), tree_cpu(self._root)
        if not begin or not end:
            return
        seconds, user, system = (after - before for before, after in zip(begin, end))
        self.cpu_share = seconds / (end_at - begin_at)
        self.user_share = user / (user + system) if user + system else None
        self.resident_bytes = resident_bytes(self._root, self._forks)

    def figures(self, units_per_s):
        cpu_us = self.cpu_share * 1e6 / units_per_s if self.cpu_share else None
        return {"cpu_us": cpu_us, "user_share": self.user_share}
