"""Upgrades in place while clients are hostile or memory is short."""

import multiprocessing
import re
import signal
import socket
from ctypes import c_bool, c_uint64
from pathlib import Path

import clients
from echod_process import PATIENCE_S, Broken, wait_until
from pressure import KIB, memory_group
from scenario_run import MIB, ScenarioRun
from slow_clients import SMALLEST
from streams import run_flood

UPGRADED = "has replaced echod"
OWED = re.compile(r"connections and (\d+) owed bytes;")
# Each start reports it. The backlog is a key that needs an upgrade.
BACKLOG = re.compile(r"listening on \S+, backlog (\d+)")
CONFIG = """
workers = 2
[[listen]]
address = "127.0.0.1"
port = 0
backlog = {backlog}
[buffers]
per_connection_kib = {per_connection_kib}
total_mib = {total_mib}
[turn]
bytes_kib = 1024
[timeouts]
stalled_write_s = 60
[socket]
receive_buffer_kib = 64
send_buffer_kib = 64
"""


def reload_to(run: ScenarioRun, config: str) -> None:
    """Replaces the file at once: echod may be reading it because of an earlier signal."""
    file = run.daemon.config_file
    new = file.with_suffix(".new")
    new.write_text(config, encoding="utf-8")
    new.replace(file)
    run.daemon.signal(signal.SIGHUP)


def upgrade_storm(run: ScenarioRun) -> None:
    """50 reloads that need an upgrade, one after the other, beside floods and clients that never read. Between them
    many more clients connect than the accept queue takes, and reset or close at once.
    """
    reloads, reading, deaf, burst, backlog = 50, 4, 40, 150, 32
    sizes = {"per_connection_kib": 64, "total_mib": 2}
    run.start(CONFIG.format(backlog=backlog, **sizes))
    context = multiprocessing.get_context("fork")
    is_over, moved = context.RawValue(c_bool), context.RawValue(c_uint64)
    overflows = clients.overflows()
    with run.attack(connections=reading + deaf + burst, buffers_kib=2048):
        flood = context.Process(target=run_flood, args=(run.port, reading, run.rng.random(), is_over, moved),
                                daemon=True)
        flood.start()
        those = clients.connect_many(run.port, deaf)
        run.visitors += reading + deaf
        data = run.rng.randbytes(65536)
        for one in those:
            clients.send_until_full(one, data)
        for number in range(1, reloads + 1):
            reload_to(run, CONFIG.format(backlog=backlog + number, **sizes))
            come_and_go(run, burst, number * burst)
            run.pinger.wait_for_pings(1)
        last = str(backlog + reloads)
        wait_until("the last configuration to be in force",
                   lambda: BACKLOG.findall(run.daemon.stderr_text())[-1] == last)
        is_over.value = True
        flood.join()
        clients.close_all(those)
    run.check(flood.exitcode == 0, "a flood did not get its bytes back")
    upgrades = run.moved("upgrades")
    run.check(upgrades > 2, f"only {upgrades} upgrades")
    check_upgrades(run)
    run.check(clients.overflows() > overflows, "the accept queue was never full")
    run.did(reloads, f"reloads, which led to {upgrades} upgrades")
    run.did(moved.value // MIB, f"MiB flooded by {reading}")
    beyond = clients.overflows() - overflows
    run.did(reloads * burst, f"clients that came and left at once, {beyond} of them beyond the backlog")
    run.finish(kept_kib=2048, may_lose=True)


def come_and_go(run: ScenarioRun, count: int, first: int) -> None:
    came = [clients.begin_connect(run.port, first + number) for number in range(count)]
    run.visitors += count
    run.rng.shuffle(came)
    for one in came:
        if run.rng.random() < 0.5:
            clients.reset(one)
        else:
            one.close()


def check_upgrades(run: ScenarioRun) -> None:
    for name in ("upgrades_refused", "upgrades_failed"):
        run.check(run.moved(name) == 0, f"{name}={run.moved(name)}")


def upgrade_memory_cgroup(run: ScenarioRun) -> None:
    """Two upgrades with more owed bytes than fit into the memory limit a second time. Each byte arrives."""
    count, each_kib, upgrades, total_mib = 300, 256, 2, 80
    config = (CONFIG.replace("{per_connection_kib}", str(each_kib)).replace("{total_mib}", str(total_mib))
              .replace("receive_buffer_kib = 64", f"receive_buffer_kib = {2 * each_kib}")
              .replace("send_buffer_kib = 64", "send_buffer_kib = 8"))
    # echod, the program that checks the upgrade, and what the kernel needs for sockets.
    others_mib = 24 if is_without_sockets() else 24 + count * 3 * each_kib // KIB
    with memory_group((total_mib + others_mib) * KIB) as group:
        try:
            join = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
            run.start(config.format(backlog=2 * count), bulk=False, wrapper=["sh", "-c", join, str(group)])
            data = run.rng.randbytes(each_kib * KIB)
            with run.attack(connections=count, buffers_kib=total_mib * KIB):
                those = owing(run, count, data)
                for number in range(1, upgrades + 1):
                    reload_to(run, config.format(backlog=2 * count + number))
                    wait_until("the end of the upgrade",
                               lambda: not run.daemon.is_running() or count_ends(run) >= number)
                    if not run.daemon.is_running():
                        raise Broken(f"echod has ended with status {run.daemon.process.returncode} in an upgrade")
                    run.pinger.wait_for_pings(5)
                used_mib = most_used_mib(group)
                for one in those:
                    one.shutdown(socket.SHUT_WR)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
                    one.settimeout(PATIENCE_S)
                    run.check(clients.receive(one, len(data)) == data, "wrong bytes")
                    run.check(clients.ends_orderly(one), "no FIN after the bytes")
            owed_mib = min(map(int, OWED.findall(run.daemon.stderr_text()))) // MIB
            run.check(2 * owed_mib > total_mib + others_mib, f"only {owed_mib} MiB were owed, which fit in twice")
            check_upgrades(run)
            run.did(owed_mib, f"MiB owed to {count} clients during {upgrades} upgrades; the control group used at most "
                              f"{used_mib} of {total_mib + others_mib} MiB")
            clients.close_all(those)
            run.finish(kept_kib=total_mib * KIB)
        finally:
            run.close()


def count_ends(run: ScenarioRun) -> int:
    """Returns how many upgrades were done or refused."""
    return len(re.findall(f"{UPGRADED}|reload: refused", run.daemon.stderr_text()))


def owing(run: ScenarioRun, count: int, data: bytes) -> list[socket.socket]:
    """Returns clients that have sent `data` and have read nothing. echod has received all of it: it was stopped while
    they sent, so that it then reads everything at once.
    """
    those = clients.connect_many(run.port, count, SMALLEST)
    run.visitors += count
    wait_until("all to be accepted", lambda: run.moved("accepted") >= count)
    run.daemon.freeze()
    for one in those:
        one.settimeout(PATIENCE_S)
        one.sendall(data)  # The kernel takes it.
    run.daemon.thaw()
    wait_until("all to be received", lambda: run.moved("bytes_received") >= count * len(data))
    return those


def is_without_sockets() -> bool:
    """Whether control groups do not limit the memory of sockets, as in version 1."""
    return Path("/sys/fs/cgroup/memory").exists()


def most_used_mib(group: Path) -> str:
    """Returns the most memory that the control group has used. Not every kernel has a file for it."""
    files = [group / name for name in ("memory.max_usage_in_bytes", "memory.peak") if (group / name).exists()]
    return str(int(files[0].read_text()) // MIB) if files else "an unknown part"
