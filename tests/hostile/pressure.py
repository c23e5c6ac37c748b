"""What the machine and its operator do to a daemon under load: memory, descriptors and disks run out, it is stopped, it
is starved.
"""

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
from slow_clients import STALLING, stall
from stage import NotPossible, Stage
from storms import crowd

KIB = 1024
MIB = 1024 * KIB
TOLD = "Cannot allocate memory"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - [A-Z]+ - ")


def few_descriptors(stage: Stage) -> None:
    """200 clients come where `ulimit -n 64` leaves room for some 40."""
    stage.start("workers = 2\n", comes_anew=False, limits={"nofile": 64})
    stage.daemon.expect_log("full on ", "ulimit -n allows 64 open files")
    crowd(stage, 200, 64)


def address_space(stage: Stage) -> None:
    """`ulimit -v`: who can be served is served, the others wait, and nobody is closed."""
    stage.start("workers = 2\n", comes_anew=False,
                prepare=lambda daemon: cap(daemon, resource.RLIMIT_AS, daemon.virtual_kib() + 256))
    stage.daemon.expect_log(TOLD)
    run_out_of_memory(stage)


def data_segment(stage: Stage) -> None:
    """`ulimit -d`, which no arena of the allocator evades: the same."""
    stage.start("workers = 2\n", comes_anew=False,
                prepare=lambda daemon: cap(daemon, resource.RLIMIT_DATA, daemon.data_kib() + 512))
    stage.daemon.expect_log(TOLD)
    run_out_of_memory(stage)


def cap(daemon: EchodProcess, which: int, kib: int) -> None:
    resource.prlimit(daemon.pid, which, (kib * KIB, resource.RLIM_INFINITY))


def run_out_of_memory(stage: Stage) -> None:
    """The first half of those who came leaves. Then the other half is served, those too who had to wait."""
    at_most = 8000  # Far more than that much memory is for.
    with stage.attack(connections=at_most):
        those: list[socket.socket] = []
        descriptors = stage.daemon.descriptors()
        while TOLD not in stage.daemon.text():
            if len(those) >= at_most:
                raise Broken(f"{at_most} connections have not used up the memory")
            those += [clients.begin_connect(stage.port, number) for number in range(100)]
            wait_until("them to be accepted, or not", lambda: TOLD in stage.daemon.text() or
                       stage.daemon.descriptors() - descriptors >= len(those))
        # The counters are asked for here for the first time: there may be no memory for their line.
        accepted = stage.daemon.counters()["connections"]
        those += [clients.begin_connect(stage.port, number) for number in range(100)]
        stage.hold()
        stage.visitors += len(those)
        stay = those[len(those) // 2:]
        for one in those[:len(those) // 2]:
            clients.reset(one)
        for one in stay:
            one.settimeout(PATIENCE_S)
            clients.echo(one, b"I have waited")
        clients.close_all(stay)
        refused = stage.moved("register_failures")
        stage.check(refused == 0, f"{refused} were accepted and then closed for want of memory")
        wait_until("all of them to be gone", lambda: stage.daemon.counters()["connections"] < 10)
        for _ in range(100):  # The limit is still there, the crowd is not.
            stage.visit()
    stage.did(len(those), f"connections, {accepted} of which had been accepted when memory ran out")
    stage.did(len(stay), "of them stayed, and were served")
    stage.bound_cpu(visits=len(those), seconds=2)
    stage.finish(may_lose=True)


def stopped(stage: Stage) -> None:
    """SIGSTOP for longer than the timeouts: whoever sent or came meanwhile is served when it goes on."""
    old, new, stop_s = 1000, 200, 30 if stage.settings.is_long else 5
    stage.start(f"workers = 2\n[timeouts]\nidle_s = {stop_s - 2}\nstalled_write_s = {stop_s - 2}\n", connections=1)
    with stage.attack(connections=old + new):
        those = [clients.connect(stage.port, number) for number in range(old)]
        for one in those:
            clients.echo(one, b"before")
        stage.daemon.freeze()
        those += [clients.connect(stage.port, number) for number in range(old, old + new)]
        stage.visitors += old + new
        payloads = [stage.rng.randbytes(stage.rng.randint(1, 4000)) for _ in those]
        for one, payload in zip(those, payloads):
            one.sendall(payload)
        time.sleep(stop_s)  # What is tested.
        stage.daemon.thaw()
        for one, payload in zip(those, payloads):
            stage.check(clients.receive(one, len(payload)) == payload, "wrong bytes")
        closed = stage.closed()
        stage.check(closed["idle_timeout"] + closed["stalled_write"] == 0, "a timeout ended somebody who had sent")
        stage.check(stage.moved("worker_stalls") == 0, "workers were taken for stuck")
    stage.did(len(those), f"clients that sent while it was stopped for {stop_s} s, {new} of them new")
    stage.bound_cpu(visits=old + new, echoes=2 * old + new)
    clients.close_all(those)
    stage.finish()


@contextmanager
def busy_loops(cpu: int, count: int) -> Iterator[None]:
    loops = [subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def cpu_starvation(stage: Stage) -> None:
    """The lowest priority on a CPU that four others keep busy: slow, but all comes back, and no timeout misfires."""
    count, size, cpu = 150, 60_000, max(os.sched_getaffinity(0))
    stage.start("workers = 2\n[buffers]\ntotal_mib = 2\n[timeouts]\nidle_s = 1\nstalled_write_s = 1\n",
                connections=1, wrapper=["taskset", "-c", str(cpu), "nice", "-n", "19"])
    stage.daemon.allow_log("has not answered for", "answers again")  # True, if the machine has more to do.
    with stage.attack(connections=count, buffers_kib=2048), busy_loops(cpu, 4):
        waited, cpu_s = stage.daemon.waited_for_cpu_s(), stage.daemon.cpu_s()
        those = clients.connect_many(stage.port, count)
        stage.visitors += count
        streams = [clients.Stream(one, stage.rng.randbytes(size), stage.rng) for one in those]
        clients.run_streams(streams)
        closed = stage.closed()
        stage.check(closed["idle_timeout"] + closed["stalled_write"] == 0, "a timeout ended who was served late")
        waited, cpu_s = stage.daemon.waited_for_cpu_s() - waited, stage.daemon.cpu_s() - cpu_s
        times = f"it had the CPU for {cpu_s:.2f} s and waited for it {waited:.1f} s"
        stage.check(waited > 5 * cpu_s, f"no starvation: {times}")
    stage.did(count, f"streams of {size} bytes, while {times}")
    stage.bound_cpu(visits=count, echoes=sum(stream.calls for stream in streams), mib=count * size / MIB)
    stage.finish(kept_kib=2048)


def full_disk(stage: Stage) -> None:
    """No room for the log: that is told once, the lines lost are counted, and with room again it goes on."""
    folder = Path(tempfile.mkdtemp(prefix="echod-log-"))
    mount = 'mount -t tmpfs -o size=256k none "$0" && exec "$@"'
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
    try:
        tried = subprocess.run([*unshare, "sh", "-c", mount, str(folder), "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            raise NotPossible(f"a tmpfs of its own: {tried.stderr.strip()}")
        stage.start(f'[log]\nfile = "{folder}/network-server.log"\nconnection_lines_per_second = 0\n',
                    wrapper=[*unshare, "sh", "-c", mount, str(folder)])
        # The file system is the daemon's alone, and goes with it.
        fill_and_empty(stage, Path(f"/proc/{stage.daemon.pid}/root{folder}"))
    finally:
        folder.rmdir()


def fill_and_empty(stage: Stage, folder: Path) -> None:
    complaint, visits = "cannot write the log file", 500
    stage.daemon.log_file = folder / "network-server.log"
    stage.daemon.expect_log(complaint)
    filler = folder / "filler"
    with stage.attack(connections=10):
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # It is full.
        for _ in range(visits):
            stage.visit()
        # The last pages of the file itself have room for some lines.
        wait_until("lines to be lost", lambda: stage.daemon.counters()["log_write_failures"] > visits)
        stage.check(stage.daemon.stderr_text().count(complaint) == 1, "the operator was not told just once")
        filler.unlink()
        size = stage.daemon.log_file.stat().st_size
        stage.visit()
        wait_until("the log to go on", lambda: stage.daemon.log_file.stat().st_size > size)
        lost = stage.moved("log_write_failures")
        stage.visit()
        stage.check(stage.moved("log_write_failures") == lost, "lines are lost though there is room")
    starts = [len(LINE.findall(line)) for line in stage.daemon.log_text().splitlines()]
    stage.check(max(starts) == 1, "a line of the log goes on in another")
    stage.check(starts.count(0) <= 1, "more lines are torn than the one for which there was no room")
    stage.did(lost, f"lines lost, of {visits} visits")
    stage.bound_cpu(visits=visits + 2)
    stage.finish()


@contextmanager
def memory_group(kib: int) -> Iterator[Path]:
    """A control group with a cap, of version 1 or 2, removed at the end."""
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


def memory_cgroup(stage: Stage) -> None:
    """A cap as the configuration allows to reckon it: nobody who does not read makes the kernel kill the daemon."""
    count, total_mib = 1000, 4
    kernel_kib = 6 * count  # Sockets, files and epoll entries are charged too: some 5 KiB for each connection.
    with memory_group(16 * KIB + total_mib * KIB + kernel_kib) as group:
        try:
            join = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
            stage.start(STALLING.format(total_mib=total_mib),
                        wrapper=["sh", "-c", join, str(group)])
            stall(stage, count, total_mib)
        finally:
            stage.close()
