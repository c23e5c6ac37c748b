"""Slow clients: they send single bytes, never read, or have tiny windows."""

import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import clients
import stream_sockets
from echod_process import PATIENCE_S, wait_until
from scenario_run import MIB, ScenarioRun

TCP_WINDOW_CLAMP = 10  # linux/tcp.h
SMALLEST = 1  # The kernel rounds it up to its smallest buffer.


def slow_loris(run: ScenarioRun) -> None:
    """Clients that send a byte now and then get it back and stay. Silent clients are closed. Neither uses a buffer."""
    each, rounds = 3000, 5
    run.start("workers = 2\n[timeouts]\nidle_s = 5\n")  # Much longer than connecting or one round takes.
    with run.attack(connections=2 * each):
        silent = clients.connect_many(run.port, each)
        slow = [clients.connect(run.port, number) for number in range(each)]
        run.visitors += 2 * each
        done = 0
        while done < rounds or run.closed()["idle_timeout"] < each:
            for one in slow:
                one.send(bytes([done % 256]))
            for one in slow:
                run.check(clients.receive(one, 1) == bytes([done % 256]), "a wrong byte")
            done += 1
        run.check(all(clients.ends_orderly(one) for one in silent), "a silent client did not get a FIN")
        run.check(run.closed()["idle_timeout"] == each, f"idle_timeout closed {run.closed()['idle_timeout']}")
    run.did(each, "silent connections")
    run.did(each * done, f"single bytes on {each} others")
    run.bound_cpu(visits=2 * each, echoes=each * done)
    clients.close_all(silent + slow)
    run.finish()


STALLING = """
workers = 2
[buffers]
per_connection_kib = 32
total_mib = {total_mib}
[timeouts]
stalled_write_s = 4
[socket]
receive_buffer_kib = 32
send_buffer_kib = 32
"""


def never_reads(run: ScenarioRun) -> None:
    """Clients that send and never read: echod keeps a bounded part of their bytes, and closes them after a while."""
    count, total_mib = 800, 4
    run.start(STALLING.format(total_mib=total_mib))
    stall(run, count, total_mib, lambda: connect_with_small_buffers(run.port, count))


def local_never_reads(run: ScenarioRun) -> None:
    """As never_reads, over a UNIX socket. There the kernel has no window: it keeps what fits into its buffers."""
    count, total_mib = 400, 4
    with local_listener() as (path, listeners):
        run.start(STALLING.format(total_mib=total_mib) + listeners)
        stall(run, count, total_mib, lambda: connect_locals(path, count))


def local_descriptors(run: ScenarioRun) -> None:
    """Clients of a UNIX socket that pass descriptors with their bytes: the bytes come back, and echod keeps none."""
    count, messages, each, size = 100, 40, 8, 100
    with local_listener() as (path, listeners):
        run.start("workers = 2\n" + listeners, reconnects=False)
        with run.attack(connections=count), Path("/dev/null").open("rb") as passed:
            those = connect_locals(path, count)
            run.visitors += count
            descriptors = 0
            for number in range(messages):
                message = bytes([number]) * size
                for one in those:
                    socket.send_fds(one, [message], [passed.fileno()] * each)
                for one in those:
                    one.settimeout(PATIENCE_S)
                    run.check(clients.receive(one, size) == message, "a wrong byte")
                descriptors = descriptors or len(run.daemon.descriptors())
            run.check(len(run.daemon.descriptors()) == descriptors, "echod has kept descriptors of its clients")
        run.did(count * messages, f"messages of {size} bytes and {each} descriptors")
        run.bound_cpu(visits=count, echoes=count * messages)
        clients.close_all(those)
        run.finish()


@contextmanager
def local_listener() -> Iterator[tuple[str, str]]:
    """Returns a path, and configuration text for a UNIX listener at it beside one for TCP."""
    with tempfile.TemporaryDirectory(prefix="echod-test-") as directory:
        path = f"{directory}/echo.sock"
        yield path, f'[[listen]]\naddress = "127.0.0.1"\nport = 0\n[[listen]]\npath = "{path}"\n'


def connect_with_small_buffers(port: int, count: int) -> list[socket.socket]:
    those = clients.connect_many(port, count, SMALLEST)
    for one in those:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST)
    return those


def connect_locals(path: str, count: int) -> list[socket.socket]:
    return [stream_sockets.connect_local(path) for _ in range(count)]


def stall(run: ScenarioRun, count: int, total_mib: int, connect: Callable[[], list[socket.socket]]) -> None:
    data = run.rng.randbytes(16384)
    with run.attack(connections=count, buffers_kib=total_mib * 1024):
        those = connect()
        run.visitors += count
        sent = last = sum(clients.send_until_full(one, data) for one in those)
        while last > 0:  # Until echod reads no more.
            run.pinger.wait_for_pings(20)
            last = sum(clients.send_until_full(one, data) for one in those)
            sent += last
        for one in those[::2]:
            one.shutdown(socket.SHUT_WR)  # Its FIN waits behind unread bytes.
        run.hold()
        run.check(run.moved("unbuffered_reads") > 0, "the limit of the buffers was not reached")
        wait_until("stalled_write to close all", lambda: run.closed()["stalled_write"] == count)
        # If echod did not reset them, the kernel would keep them and their unsent bytes.
        wait_until("the clients to see the end", lambda: all(clients.has_ended(one) for one in those))
    run.did(count, "connections that sent and never read")
    run.did(sent // MIB, "MiB sent")
    run.bound_cpu(visits=count, mib=sent / MIB, echoes=run.moved("echoes"), seconds=5)
    clients.close_all(those)
    run.finish(kept_kib=total_mib * 1024)


PAGE_KIB = 32  # The kernel's pages for what a socket sends (SKB_FRAG_PAGE_ORDER).
MACHINE_KIB = 32768  # Other programs may cause such a change meanwhile.
SPLICING = """
workers = 1
[buffers]
splice = true
total_mib = {total_mib}
[socket]
receive_buffer_kib = 256
send_buffer_kib = 1024
"""


def spliced_never_reads(run: ScenarioRun) -> None:
    """Small segments, spliced to clients that never read. Each is alone in a page of 32 KiB, which it pins when it is
    spliced, and which TCP does not charge. The memory of the system must stay within the documented bound.
    """
    count, segment, total_mib = 60, 1100, 8  # 64 segments are just enough for a round that is spliced.
    pinned_kib = 8 * total_mib * 1024
    run.start(SPLICING.format(total_mib=total_mib))
    with run.attack(connections=count, buffers_kib=total_mib * 1024):
        before = unlisted_kib()
        those = clients.connect_many(run.port, count, SMALLEST)
        run.visitors += count
        for one in those:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
        filler = PageFiller()
        sent = last = 1
        while last > 0:  # Until neither daemon nor kernel take any more.
            run.daemon.freeze()  # So that much waits when it runs again.
            last = sum(filler.send_until_full(one, bytes(segment)) for one in those)
            run.daemon.thaw()
            sent += last
            run.pinger.wait_for_pings(2)
        run.hold()
        taken_kib = unlisted_kib() - before
        unread_kib = (sent - run.moved("bytes_received")) // segment * PAGE_KIB  # They pin their pages too.
        copied = run.moved("bytes_sent") - run.moved("bytes_spliced")
        copied_kib = copied // 1024 * 3 // 2  # With what the kernel needs to keep them.
        bound_kib = pinned_kib + unread_kib + copied_kib + MACHINE_KIB
        run.check(run.moved("splice_rounds") > 0, "no round was spliced")
        run.check(run.moved("splice_capped") > 0, "the limit of what is pinned was not reached")
        run.check(taken_kib <= bound_kib, f"the system lost {taken_kib} KiB; the bound is {bound_kib} KiB")
    run.did(sent // MIB, f"MiB sent in segments of {segment} bytes")
    run.did(taken_kib // 1024, f"MiB of the system's memory taken; the bound is {bound_kib // 1024} MiB")
    clients.close_all(those)
    filler.close()
    run.finish(kept_kib=total_mib * 1024)


class PageFiller:
    """Puts each segment into a page of its own. The kernel puts what a thread sends into pages of 32 KiB, one after the
    other, whatever the socket. So bytes that are received at once, on a connection to ourselves, fill the rest of the
    page.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.sender = socket.create_connection(listener.getsockname())
            self.receiver, _ = listener.accept()

    def send_until_full(self, one: socket.socket, segment: bytes) -> int:
        sent = 0
        try:
            while True:
                sent += one.send(segment)
                self.sender.sendall(bytes(PAGE_KIB * 1024 - len(segment)))
                self.receiver.recv(PAGE_KIB * 1024 - len(segment), socket.MSG_WAITALL)
        except BlockingIOError:
            return sent

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


# What /proc/meminfo lists by use (proc(5)). The rest is pages without a list, such as those of sockets, and free pages
# that a processor keeps for itself, which can be hundreds of MiB.
LISTED = ("MemFree", "Buffers", "Cached", "Slab", "AnonPages", "PageTables", "KernelStack", "Percpu")


def unlisted_kib() -> int:
    """Returns the memory of the system in pages without a listed use. Other programs hardly change it."""
    sizes = {name: int(rest.split()[0]) for name, rest in
             (line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())}
    kept_free = re.findall(r"^ +count: +(\d+)$", Path("/proc/zoneinfo").read_text("ascii"), re.MULTILINE)
    kept_free_kib = sum(map(int, kept_free)) * os.sysconf("SC_PAGE_SIZE") // 1024
    return sizes["MemTotal"] - sum(sizes[name] for name in LISTED) - kept_free_kib


def tiny_windows(run: ScenarioRun) -> None:
    """Windows of 1152 bytes, segments of 88, few bytes read at a time: all bytes come back, then the FIN."""
    count, size = 200, 20_000
    run.start("workers = 2\n[socket]\nsend_buffer_kib = 4\n[buffers]\ntotal_mib = 2\n", bulk=False)
    streams = []
    with run.attack(connections=count, buffers_kib=2048):
        for number in range(count):
            one = stream_sockets.unconnected(clients.source(number), 8192)
            one.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, 1)  # The kernel rounds it up to its minimum.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
            one.settimeout(PATIENCE_S)
            one.connect(("127.0.0.1", run.port))
            one.setblocking(False)
            streams.append(clients.open_stream(one, size, run.rng, read_most=100))
        run.visitors += count
        clients.run_streams(streams)
    run.did(count, f"streams of {size} bytes")
    run.did(sum(stream.calls for stream in streams), "sends and reads, of 1 to 100 bytes")
    held_up = run.moved("flips_to_write") + run.moved("unbuffered_reads")
    run.check(held_up > count // 4, f"only {held_up} replies were blocked")
    # Later sends, when a window opens, are not counted.
    run.bound_cpu(visits=count, echoes=run.moved("echoes") + held_up, factor=4)
    run.finish(kept_kib=2048)
