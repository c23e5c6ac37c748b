"""Datagrams: floods, forged sources, sizes at the limits, and a device that does not send trains.

A datagram may be lost, but only if echod or the kernel has counted it.
"""

import multiprocessing
import random
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from ctypes import c_bool, c_uint64

import clients
import raw_packets
from echod_process import PATIENCE_S, wait_until
from scenario_run import NotPossible, ScenarioRun
from wire import SERVER, Namespace, Wire

WORKERS = 2
KIB_OF_SLOTS = 1024 * WORKERS  # Each worker has room for 16 datagrams of 64 KiB.
RECEIVE_BUFFER_KIB = 64  # The kernel grants it without a privilege.
LARGEST = 65507
SIZES = (0, 1, 64, 1472, 1473, LARGEST)
UDP_SEGMENT = 103  # In linux/udp.h.
SET_TX_CHECKSUMS = 0x17  # ETHTOOL_STXCSUM in linux/ethtool.h.
REFUSALS = 3  # So many trains are refused before echod sends none for a minute.


def config(host: str = "127.0.0.1") -> str:
    listen = "".join(f'[[listen]]\nprotocol = "{protocol}"\naddress = "{host}"\nport = 0\n'
                     for protocol in ("tcp", "udp"))
    return f"workers = {WORKERS}\n[socket]\nreceive_buffer_kib = {RECEIVE_BUFFER_KIB}\n{listen}"


def target_of(run: ScenarioRun) -> tuple[str, int]:
    return "127.0.0.1", run.daemon.datagram_listeners[0][1]


def dropped(run: ScenarioRun) -> int:
    """Returns how many datagrams echod has read and dropped since the attack began."""
    return sum(run.moved(name) for name in run.daemon.counters() if name.startswith("datagrams_dropped_"))


def see_all_counted(run: ScenarioRun, sent: int) -> None:
    """Checks that each datagram was echoed, or counted by echod or by the kernel."""
    def counted() -> int:
        return run.moved("datagrams_received") + run.moved("datagram_queue_dropped")

    wait_until(f"all {sent} datagrams to be counted", lambda: counted() >= sent)
    run.check(counted() == sent, f"{sent} datagrams were sent, but {counted()} counted")
    received, echoed = run.moved("datagrams_received"), run.moved("datagrams_echoed")
    run.check(received == echoed + dropped(run), f"{received} received, {echoed} echoed, {dropped(run)} dropped")
    run.did(run.moved("datagram_queue_dropped"), "of them dropped by the kernel")


def echoes(client: socket.socket, target: tuple[str, int], payload: bytes, seconds: float) -> bool:
    """Sends a datagram. Returns whether it came back in time. Fails if something else comes."""
    client.settimeout(seconds)
    client.sendto(payload, target)
    with suppress(TimeoutError):
        answer = client.recvfrom(LARGEST + 1)
        assert answer == (payload, target), f"{len(answer[0])} bytes came from {answer[1]}, sent were {len(payload)}"
        return True
    return False


def datagram_flood(run: ScenarioRun) -> None:
    """Floods of datagrams of all sizes, whose senders do not read: TCP pings are answered meanwhile, and other
    datagrams come back or were counted as dropped.
    """
    floods, pings = 2, 300
    run.start(config())
    context = multiprocessing.get_context("fork")
    is_over = context.RawValue(c_bool)
    counts = [context.RawValue(c_uint64) for _ in range(floods)]
    target = target_of(run)
    with run.attack(connections=0, buffers_kib=KIB_OF_SLOTS):
        processes = [context.Process(target=run_flood, args=(target, run.rng.random(), is_over, count), daemon=True)
                     for count in counts]
        for process in processes:
            process.start()
        sent, lost = 0, 0
        ends_at = run.pinger.pings + pings
        while run.pinger.pings < ends_at and all(process.is_alive() for process in processes):
            # A new socket: a late answer must not be taken for that of the next one.
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                lost += not echoes(client, target, run.rng.randbytes(run.rng.choice(SIZES)), 0.2)
            sent += 1
        is_over.value = True
        for process in processes:
            process.join()
        see_all_counted(run, sent + sum(count.value for count in counts))
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            for size in SIZES:
                came = echoes(client, target, run.rng.randbytes(size), PATIENCE_S)
                run.check(came, f"{size} bytes did not come back after the flood")
    run.did(sum(count.value for count in counts), "datagrams sent by floods")
    run.did(sent, f"datagrams sent beside them, of which {lost} did not come back in 0.2 s")
    run.check(run.moved("datagrams_received") > 1000, "the flood was none")
    # Most datagrams of a flood are larger than the message whose cost was measured.
    run.bound_cpu(echoes=run.moved("datagrams_received"), mib=run.moved("datagram_bytes_received") / 2**20,
                  events=run.moved("datagrams_received"))
    run.finish(kept_kib=KIB_OF_SLOTS)


def run_flood(target: tuple[str, int], seed: float, is_over: c_bool, count: c_uint64) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(LARGEST)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        while not is_over.value:
            sender.sendto(data[:rng.choice(SIZES)], target)
            count.value += 1


def forged_datagrams(run: ScenarioRun) -> None:
    """Datagrams with forged sources: other echo services, port 0, and many hosts that never sent anything. Nothing goes
    to the services, and no host gets more than limits.datagrams_per_source.
    """
    count, forged_hosts, per_source = 30_000, "198.51.100.0/24", 5  # RFC 5737: addresses that no host has.
    try:
        namespace = Namespace()
    except OSError as error:
        raise NotPossible(f"a network namespace: {error}") from error
    with namespace.entered():
        for command in ("link set lo up", f"route add {forged_hosts} dev lo"):
            subprocess.run(["ip", *command.split()], check=True)
        run.start(config() + f"[limits]\ndatagrams_per_source = {per_source}\n")
        target = target_of(run)
        senders = [raw_packets.Sender(f"198.51.100.{host}", socket.IPPROTO_UDP) for host in range(1, 50)]
        ports: dict[str, Callable[[], int]] = {
            "service_port": lambda: run.rng.choice((7, 13, 19, 37, 53, 123, 1023, 2049)),
            "own_port": lambda: target[1], "port_zero": lambda: 0, "": lambda: run.rng.randint(30_000, 32_000)}
        sent = dict.fromkeys(ports, 0)
        began = time.monotonic()
        with run.attack(connections=0, buffers_kib=KIB_OF_SLOTS):
            for number in range(count):
                kind = run.rng.choice([*ports])
                run.rng.choice(senders).send_datagram(ports[kind](), target, run.rng.randbytes(run.rng.randint(0, 200)))
                sent[kind] += 1
                if number % 1000 == 0:
                    run.pinger.wait_for_pings(30)
            see_all_counted(run, count)
        for kind in sent:
            refused = run.moved(f"datagrams_dropped_{kind}") if kind else 0
            run.check(0 < refused <= sent[kind] or not kind, f"{refused} of {sent[kind]} were refused: {kind}")
        echoed, over_rate = run.moved("datagrams_echoed"), run.moved("datagrams_dropped_source_rate")
        most = len(senders) * WORKERS * per_source * (2 + time.monotonic() - began)
        run.check(0 < echoed <= most, f"{echoed} were answered, at most {most:.0f} are allowed")
        run.check(over_rate > 0, "no source was over its rate")
        run.did(count, f"forged datagrams, of which {echoed} were answered and {over_rate} were over the rate")
        # They come one by one, so nearly each wakes a worker.
        run.bound_cpu(echoes=run.moved("datagrams_received"), factor=4, events=count)
        for one in senders:
            one.close()
        run.finish(kept_kib=KIB_OF_SLOTS)


def send_train(client: socket.socket, target: tuple[str, int], size: int, count: int) -> None:
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    client.sendto(b"".join(number.to_bytes(2, "big") * (size // 2) for number in range(count)), target)


def see_train_back(run: ScenarioRun, client: socket.socket, size: int, count: int) -> None:
    client.settimeout(PATIENCE_S)
    answers = sorted(client.recv(LARGEST) for _ in range(count))
    expected = [number.to_bytes(2, "big") * (size // 2) for number in range(count)]
    run.check(answers == expected, f"a train of {count} datagrams of {size} bytes did not come back as it was")


def refused_trains(run: ScenarioRun) -> None:
    """Trains of datagrams that are larger than the MTU of the way back: they come back one by one, and after some of
    them echod sends no trains for a while. No datagram is lost.
    """
    size, count, trains = 1400, 20, 8
    with Wire(keeps_trains=True) as wire:
        run.start(config("0.0.0.0"), bulk=False)
        wire.server.run("ip", "link", "set", "wire", "mtu", "1280")
        client, target = wire.open_datagrams(), (SERVER, run.daemon.datagram_listeners[0][1])
        with run.attack(connections=0, buffers_kib=KIB_OF_SLOTS):
            send_train(client, target, 500, count)
            see_train_back(run, client, 500, count)
            refused = run.moved("datagram_trains_refused")
            run.check(refused == 0, "a train of small datagrams was refused")
            for _ in range(trains):
                send_train(client, target, size, count)
                see_train_back(run, client, size, count)
            see_all_counted(run, (trains + 1) * count)
        came, refused = run.moved("datagram_trains"), run.moved("datagram_trains_refused")
        run.check(came == trains + 1, f"{came} trains came, not {trains + 1}")
        run.check(refused == REFUSALS, f"{refused} trains were refused, not {REFUSALS}")
        run.did(trains, f"trains of {count} datagrams, of which {refused} were refused and the others not tried")
        client.close()
        run.bound_cpu(echoes=run.moved("datagrams_received"))
        run.finish(kept_kib=KIB_OF_SLOTS)


def trains_without_offload(run: ScenarioRun) -> None:
    """The device of the way back computes no checksums. Some kernels send no trains then. No datagram is lost."""
    size, count, trains = 1200, 20, 8
    with Wire(keeps_trains=True) as wire:
        wire.switch_offload(wire.server, SET_TX_CHECKSUMS, False)
        run.start(config("0.0.0.0"), bulk=False)
        client, target = wire.open_datagrams(), (SERVER, run.daemon.datagram_listeners[0][1])
        with run.attack(connections=0, buffers_kib=KIB_OF_SLOTS):
            for _ in range(trains):
                send_train(client, target, size, count)
                see_train_back(run, client, size, count)
            see_all_counted(run, trains * count)
        run.did(trains, f"trains, of which {run.moved('datagram_trains_refused')} were refused")
        run.check(run.moved("datagram_trains") == trains, "they did not come as trains")
        client.close()
        run.bound_cpu(echoes=run.moved("datagrams_received"))
        run.finish(kept_kib=KIB_OF_SLOTS)


SCENARIOS = (datagram_flood, forged_datagrams, refused_trains, trains_without_offload)
NEED_ROOT = SCENARIOS[1:]
