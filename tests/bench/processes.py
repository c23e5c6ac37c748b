"""Starts processes on chosen CPUs and kills them at the end, and measures CPU time and memory of process trees."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SERVER_CPU, CLIENT_CPU = 0, -1


def pinned(index):
    """Returns a command prefix that pins a command to one of our CPUs. It is empty if there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cpus[index])] if len(cpus) > 1 else []


def stolen_s():
    """Returns the CPU time that the host of this virtual machine gave to others since the boot, over all CPUs."""
    fields = pathlib.Path("/proc/stat").read_text().split(maxsplit=10)
    return int(fields[8]) / TICKS_PER_S


def others_s():
    """Returns the CPU time of all other processes so far, including their children that have ended.

    Call it when no process of ours is running. /proc/stat minus our own time would be wrong: time in interrupts, which
    is half of the time on loopback, may be counted both in a process's time and separately in /proc/stat.
    """
    pids = [entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid()]
    found = [fields for fields in map(stat_fields, pids) if fields]
    return sum(int(ticks) for fields in found for ticks in fields[11:15]) / TICKS_PER_S


@contextlib.contextmanager
def child(words, **options):
    """Starts a process in its own group, and kills the group at the end."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def stat_fields(pid):
    """Returns the fields of /proc/PID/stat from the third (the state) on, or None if the process has ended."""
    try:
        # The name is in parentheses and may contain any character.
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def descendants(root):
    """Returns the running descendants of the process `root`."""
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
    """Returns the CPU time of a process to the nanosecond. Ticks are too coarse to add up for many processes."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # As clock_getcpuclockid(3) computes it.
    return 0.0


def tree_cpu(root):
    """Returns (CPU seconds, user ticks, system ticks) of a process and its descendants, including ended ones.

    A server that forks waits for its children, and the kernel then adds their time to its own. Running processes are
    read first: one that ends meanwhile, about a millisecond, is counted twice rather than not at all.
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
    """Returns the memory of a server. For several processes a shared page is counted once in total (PSS)."""
    if not forks:
        return kib_of(f"/proc/{root}/status", "VmRSS") * 1024
    return sum(kib_of(f"/proc/{pid}/smaps_rollup", "Pss") for pid in (root, *descendants(root))) * 1024


class TreeUsage:
    """Measures the CPU time of a server by two samples during a run. For servers that fork, and for ping.

    The load is steady, so the share of a CPU between the samples is the share of the whole run.
    """

    def __init__(self, root, forks, warmup_s, seconds):
        self._root = root
        self._forks = forks
        self._warmup_s = warmup_s
        self._seconds = seconds
        self.resident_bytes = 0
        self.cpu_share = self.user_share = None

    def watch(self):
        """Takes the samples. Call it when the client starts; it returns before the client ends."""
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
