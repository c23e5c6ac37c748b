"""Shortages under load: memory, descriptors or the disk run out, the daemon is stopped, or it gets no CPU time."""

import os
import re
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clients
from echod_process import PATIENCE_S, Broken, EchodProcess, wait_until
from slow_clients import STALLING, connect_with_small_buffers, stall
from scenario_run import NotPossible, ScenarioRun
from storms import crowd

KIB = 1024
MIB = 1024 * KIB
NO_MEMORY = "Cannot allocate memory"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - [A-Z]+ - ")


def few_descriptors(run: ScenarioRun) -> None:
    """200 clients connect, but `ulimit -n 64` allows only about 40 connections."""
    run.start("workers = 2\n", reconnects=False, limits={"nofile": 64})
    run.daemon.expect_log("full on ", "ulimit -n allows 64 open files")
    crowd(run, 200, 64)


def address_space(run: ScenarioRun) -> None:
    """`ulimit -v`: clients are served as far as memory allows, the others wait, and no connection is closed."""
    run.start("workers = 2\n", reconnects=False,
              prepare=lambda daemon: cap(daemon, resource.RLIMIT_AS, daemon.virtual_kib() + 256))
    run.daemon.expect_log(NO_MEMORY)
    run_out_of_memory(run)


def data_segment(run: ScenarioRun) -> None:
    """`ulimit -d`: the same. It also limits address space that the allocator has reserved before."""
    run.start("workers = 2\n", reconnects=False,
              prepare=lambda daemon: cap(daemon, resource.RLIMIT_DATA, daemon.data_kib() + 512))
    run.daemon.expect_log(NO_MEMORY)
    run_out_of_memory(run)


def cap(daemon: EchodProcess, which: int, kib: int) -> None:
    resource.prlimit(daemon.pid, which, (kib * KIB, resource.RLIM_INFINITY))


def run_out_of_memory(run: ScenarioRun) -> None:
    """Connects clients until memory runs out. The first half leaves; then all of the second half must be served."""
    at_most = 8000  # Far more than fit into the memory.
    with run.attack(connections=at_most):
        those: list[socket.socket] = []
        descriptors = len(run.daemon.descriptors())
        while NO_MEMORY not in run.daemon.text():
            if len(those) >= at_most:
                raise Broken(f"{at_most} connections did not use up the memory")
            those += [clients.begin_connect(run.port, number) for number in range(100)]
            wait_until("all to be accepted, or memory to run out", lambda: NO_MEMORY in run.daemon.text() or
                       len(run.daemon.descriptors()) - descriptors >= len(those))
        # Not earlier: asking for the counters needs memory too.
        accepted = run.daemon.counters()["connections"]
        those += [clients.begin_connect(run.port, number) for number in range(100)]
        run.hold()
        run.visitors += len(those)
        stay = those[len(those) // 2:]
        for one in those[:len(those) // 2]:
            clients.reset(one)
        for one in stay:
            one.settimeout(PATIENCE_S)
            clients.echo(one, b"I have waited")
        clients.close_all(stay)
        refused = run.moved("register_failures")
        run.check(refused == 0, f"{refused} connections were accepted and then closed for lack of memory")
        wait_until("the clients to be gone", lambda: run.daemon.counters()["connections"] < 10)
        for _ in range(100):  # The limit still holds, but few connections are left.
            run.visit()
    run.did(len(those), f"connections, {accepted} of which had been accepted when memory ran out")
    run.did(len(stay), "of them stayed, and were served")
    run.bound_cpu(visits=len(those), seconds=2)
    run.finish(may_lose=True)


def stopped(run: ScenarioRun) -> None:
    """SIGSTOP for longer than the timeouts: clients that sent or connected meanwhile are served after SIGCONT."""
    old, new, stop_s = 1000, 200, 30 if run.settings.is_long else 5
    run.start(f"workers = 2\n[timeouts]\nidle_s = {stop_s - 2}\nstalled_write_s = {stop_s - 2}\n", connections=1)
    with run.attack(connections=old + new):
        those = [clients.connect(run.port, number) for number in range(old)]
        for one in those:
            clients.echo(one, b"before")
        run.daemon.freeze()
        those += [clients.connect(run.port, number) for number in range(old, old + new)]
        run.visitors += old + new
        payloads = [run.rng.randbytes(run.rng.randint(1, 4000)) for _ in those]
        for one, payload in zip(those, payloads):
            one.sendall(payload)
        time.sleep(stop_s)  # The pause that is tested.
        run.daemon.thaw()
        for one, payload in zip(those, payloads):
            run.check(clients.receive(one, len(payload)) == payload, "wrong bytes")
        closed = run.closed()
        run.check(closed["idle_timeout"] + closed["stalled_write"] == 0, "a timeout closed a client that had sent")
        run.check(run.moved("worker_stalls") == 0, "workers were reported as stuck")
    run.did(len(those), f"clients that sent while it was stopped for {stop_s} s, {new} of them new")
    run.bound_cpu(visits=old + new, echoes=2 * old + new)
    clients.close_all(those)
    run.finish()


@contextmanager
def busy_loops(cpu: int, count: int) -> Iterator[None]:
    loops = [subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def cpu_starvation(run: ScenarioRun) -> None:
    """The lowest priority on a CPU with four busy processes: echod is slow, but all bytes come back, and no timeout
    closes a connection.
    """
    count, size, cpu = 150, 60_000, max(os.sched_getaffinity(0))
    run.start("workers = 2\n[buffers]\ntotal_mib = 2\n[timeouts]\nidle_s = 1\nstalled_write_s = 1\n",
              connections=1, wrapper=["taskset", "-c", str(cpu), "nice", "-n", "19"])
    run.daemon.allow_log("has not answered for", "answers again")  # May happen on a busy machine.
    with run.attack(connections=count, buffers_kib=2048), busy_loops(cpu, 4):
        waited, cpu_s = run.daemon.waited_for_cpu_s(), run.daemon.cpu_s()
        those = clients.connect_many(run.port, count)
        run.visitors += count
        streams = [clients.open_stream(one, size, run.rng) for one in those]
        clients.run_streams(streams)
        closed = run.closed()
        run.check(closed["idle_timeout"] + closed["stalled_write"] == 0, "a timeout closed a slow client")
        waited, cpu_s = run.daemon.waited_for_cpu_s() - waited, run.daemon.cpu_s() - cpu_s
        times = f"echod ran for {cpu_s:.2f} s and waited {waited:.1f} s for the CPU"
        run.check(waited > 5 * cpu_s, f"no starvation: {times}")
    run.did(count, f"streams of {size} bytes, while {times}")
    run.bound_cpu(visits=count, echoes=sum(stream.calls for stream in streams), mib=count * size / MIB)
    run.finish(kept_kib=2048)


def full_disk(run: ScenarioRun) -> None:
    """The disk with the log is full: echod reports it once, counts lost lines, and goes on when there is space."""
    folder = Path(tempfile.mkdtemp(prefix="echod-log-"))
    mount = 'mount -t tmpfs -o size=256k none "$0" && exec "$@"'
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
    try:
        tried = subprocess.run([*unshare, "sh", "-c", mount, str(folder), "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            raise NotPossible(f"a tmpfs of its own: {tried.stderr.strip()}")
        run.start(f'[log]\nfile = "{folder}/network-server.log"\nconnection_lines_per_second = 0\n',
                  wrapper=[*unshare, "sh", "-c", mount, str(folder)])
        # Only the daemon has this file system mounted, so it ends with the daemon.
        fill_and_empty(run, Path(f"/proc/{run.daemon.pid}/root{folder}"))
    finally:
        folder.rmdir()


def fill_and_empty(run: ScenarioRun, folder: Path) -> None:
    complaint, visits = "cannot write the log file", 500
    run.daemon.log_file = folder / "network-server.log"
    run.daemon.expect_log(complaint)
    filler = folder / "filler"
    with run.attack(connections=10):
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # The disk is full.
        for _ in range(visits):
            run.visit()
        # Some lines still fit into the last page of the file.
        wait_until("lines to be lost", lambda: run.daemon.counters()["log_write_failures"] > visits)
        run.check(run.daemon.stderr_text().count(complaint) == 1, "the full disk was not reported exactly once")
        filler.unlink()
        size = run.daemon.log_file.stat().st_size
        run.visit()
        wait_until("the log to go on", lambda: run.daemon.log_file.stat().st_size > size)
        lost = run.moved("log_write_failures")
        run.visit()
        run.check(run.moved("log_write_failures") == lost, "lines are lost although there is space")
    starts = [len(LINE.findall(line)) for line in run.daemon.log_text().splitlines()]
    run.check(max(starts) == 1, "a log line continues on the line of another")
    run.check(starts.count(0) <= 1, "more than one log line is incomplete")
    run.did(lost, f"lines lost, of {visits} visits")
    run.bound_cpu(visits=visits + 2)
    run.finish()


@contextmanager
def memory_group(kib: int) -> Iterator[Path]:
    """Makes a control group (version 1 or 2) with a memory limit, and removes it at the end."""
    root = Path("/sys/fs/cgroup")
    if (root / "memory/memory.limit_in_bytes").exists():
        parent, cap = root / "memory", "memory.limit_in_bytes"
    elif "memory" in ((root / "cgroup.subtree_control").read_text().split()
                      if (root / "cgroup.subtree_control").exists() else ()):
        parent, cap = root, "memory.max"
    else:
        raise NotPossible("no memory controller below /sys/fs/cgroup")
    group = parent / f"echod-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / cap).write_text(str(kib * KIB))
    except OSError as error:
        raise NotPossible(f"a control group of its own: {error}") from error
    try:
        yield group
    finally:
        wait_until("the control group to be empty", lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def memory_cgroup(run: ScenarioRun) -> None:
    """A memory limit computed from the configuration: clients that do not read cannot make the kernel kill echod."""
    count, total_mib = 1000, 4
    kernel_kib = 6 * count  # Sockets, files and epoll entries count too: about 5 KiB for each connection.
    with memory_group(16 * KIB + total_mib * KIB + kernel_kib) as group:
        try:
            join = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
            run.start(STALLING.format(total_mib=total_mib),
                      wrapper=["sh", "-c", join, str(group)])
            stall(run, count, total_mib, lambda: connect_with_small_buffers(run.port, count))
        finally:
            run.close()
