"""Crowds of clients: faster than they can be accepted, more than the limit, or gone before they are served."""

import random
import socket
import subprocess

import clients
import raw_packets
from echod_process import wait_until
from stage import NotPossible, Stage
from wire import Namespace

HELLO = b"hello"


def rst_storm(stage: Stage) -> None:
    """RSTs come at any time: before a byte, while bytes are under way in both directions, or after a FIN."""
    count, at_a_time = 20_000, 50
    stage.start("workers = 2\n[buffers]\ntotal_mib = 2\n")
    data = stage.rng.randbytes(65536)
    with stage.attack(connections=at_a_time, buffers_kib=2048):
        held: list[socket.socket] = []
        for number in range(count):
            one = clients.connect(stage.port, number)
            one.setblocking(False)
            misbehave(one, data, stage.rng)
            held.append(one)
            if len(held) == at_a_time or stage.rng.random() < 0.1:
                clients.reset(held.pop(stage.rng.randrange(len(held))))
        for one in held:
            clients.reset(one)
        stage.visitors += count
        wait_until("most to be closed", lambda: sum(stage.closed().values()) >= count)
    stage.did(count, "connections reset")
    stage.check(stage.closed()["reset"] > count // 10, f"only {stage.closed()['reset']} resets were seen")
    stage.bound_cpu(visits=count, mib=stage.moved("bytes_sent") / 2**20)
    stage.finish(kept_kib=2048)


def misbehave(one: socket.socket, data: bytes, rng: random.Random) -> None:
    kind = rng.randrange(4)
    if kind > 0:
        one.send(data[:rng.choice((1, 64, 1500, 65536))])
    if kind == 2:
        try:
            one.recv(rng.randint(1, 1000))  # If something is there already.
        except BlockingIOError:
            pass
    if kind == 3:
        one.shutdown(socket.SHUT_WR)


def syn_and_close(stage: Stage) -> None:
    """Clients connect and close at once, also while echod is stopped and the queue is full. Others are served."""
    waves, size, backlog = 10, 2000, 256
    stage.start(f'[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = {backlog}\n[turn]\naccepts = 4\n')
    overflows = clients.overflows()
    with stage.attack(connections=backlog + 1):
        for wave in range(waves):
            is_beyond = wave % 2 == 1  # echod is stopped while this wave connects.
            if is_beyond:
                stage.daemon.freeze()
            came = [clients.begin_connect(stage.port, wave * size + number) for number in range(size)]
            stage.rng.shuffle(came)
            for one in came:
                if stage.rng.random() < 0.5:
                    clients.reset(one)
                else:
                    one.close()
            if is_beyond:
                stage.daemon.thaw()
            stage.pinger.wait_for_pings(5)
        stage.visitors += waves * size
    stage.did(waves * size, "connections opened and closed at once")
    stage.did(clients.overflows() - overflows, "of them beyond the backlog")
    stage.check(clients.overflows() - overflows > waves, "the accept queue was never full")
    stage.check(stage.moved("empty_connections") > waves // 2 * backlog, "they were not counted as empty")
    stage.bound_cpu(visits=stage.moved("accepted"), events=waves * size)
    stage.finish(may_lose=True)


def connect_flood(stage: Stage) -> None:
    """More clients than limits.max_connections: they wait in the backlog and are served in turn. It is logged once."""
    most = 200
    stage.start(f'workers = 2\n[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = 1024\n'
                f'[limits]\nmax_connections = {most}\n', reconnects=False)
    stage.daemon.expect_log("full on ")
    crowd(stage, 1200, most)


def crowd(stage: Stage, count: int, most: int) -> None:
    with stage.attack(connections=most):
        those = clients.connect_many(stage.port, count)
        stage.visitors += count
        for one in those:
            one.send(HELLO)
        stage.daemon.wait_for_counter("paused_full", 1)
        stage.hold()
        open_now = stage.daemon.counters()["connections"]
        stage.check(0 < open_now <= most, f"{open_now} connections are open")
        served = 0
        for one in those:  # In the order of the backlog, which is about the order of service.
            one.settimeout(60)
            served += clients.receive(one, len(HELLO)) == HELLO
            one.close()
        stage.check(served == count, f"{served} of {count} were served")
        told = stage.daemon.log_text().count("full on ")
        stage.check(told == 1, f"the log said {told} times that it is full")
    stage.did(count, f"clients, of which {open_now} were open at a time")
    stage.bound_cpu(visits=count, seconds=2)
    stage.finish()


def port_scanner(stage: Stage) -> None:
    """Connections to all ports that close at once, in several ways. Each is counted as empty."""
    count, ports = 8000, 4
    stage.start("workers = 2\n" + '[[listen]]\naddress = "127.0.0.1"\nport = 0\n' * ports)
    with stage.attack(connections=count):
        for number in range(count):
            one = clients.connect(stage.daemon.ports[number % ports], number)
            kind = number % 3
            if kind == 0:
                clients.reset(one)
            elif kind == 1:
                one.shutdown(socket.SHUT_WR)
                one.close()
            else:
                one.close()
        stage.visitors += count
        wait_until("all to be counted as empty", lambda: stage.moved("empty_connections") >= count)
    stage.did(count, f"connections to {ports} ports")
    stage.bound_cpu(visits=count)
    stage.finish()


def raw_scanner(stage: Stage) -> None:
    """Half handshakes, segments without a handshake, and segments forged into a connection of another client."""
    count = 12_000
    stage.start("workers = 2\n")
    try:
        senders = [raw_packets.Sender(source) for source in ("127.0.0.1", "127.0.9.9")]
    except PermissionError as error:
        raise NotPossible(f"raw sockets: {error}") from error
    server = ("127.0.0.1", stage.port)
    victim = clients.connect(stage.port)
    client = victim.getsockname()
    forgers = [(raw_packets.Sender(client[0]), client[1], server), (senders[0], stage.port, client)]
    resets = clients.kernel_count("Tcp", "OutRsts")
    with stage.attack(connections=1):
        for number in range(count):
            flags = stage.rng.choice(list(raw_packets.SCANS.values()))
            senders[number % 2].send(stage.rng.randint(1024, 32767), server, flags, stage.rng)
            forger, port, target = forgers[number % 2]
            flags = stage.rng.choice((raw_packets.RST, raw_packets.SYN, raw_packets.FIN | raw_packets.ACK,
                                      raw_packets.PSH | raw_packets.ACK))
            forger.send(port, target, flags, stage.rng, b"forged" if flags & raw_packets.PSH else b"")
        clients.echo(victim, stage.rng.randbytes(1000))
        answered = clients.kernel_count("Tcp", "OutRsts") - resets
        stage.check(answered > count // 4, f"the kernel answered only {answered} of {count} scans")
        empty = stage.moved("empty_connections")
        stage.check(empty == 0, f"{empty} connections were accepted without a handshake")
    stage.visitors += 1
    stage.did(count, f"scans ({', '.join(raw_packets.SCANS)})")
    stage.did(count, "segments forged into a connection")
    stage.bound_cpu(visits=stage.moved("accepted"), events=2 * count)
    clients.close_all([victim])
    for one in (*senders, forgers[0][0]):
        one.close()
    stage.finish()


def syn_flood(stage: Stage) -> None:
    """SYNs with the addresses of hosts that never answer, many more than the backlog takes."""
    count, unanswering = 20_000, "198.51.100.0/24"  # RFC 5737: addresses that no host has.
    try:
        namespace = Namespace()
    except OSError as error:
        raise NotPossible(f"a network namespace: {error}") from error
    with namespace.entered():
        for command in ("link set lo up", f"route add {unanswering} dev lo"):
            subprocess.run(["ip", *command.split()], check=True)
        stage.start('workers = 2\n[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = 128\n')
        senders = [raw_packets.Sender(f"198.51.100.{host}") for host in range(1, 250)]
        cookies = clients.kernel_count("TcpExt", "SyncookiesSent")
        with stage.attack(connections=128):
            for number in range(count):
                stage.rng.choice(senders).send(stage.rng.randint(1024, 65535), ("127.0.0.1", stage.port),
                                               raw_packets.SYN, stage.rng)
                if number % 1000 == 0:
                    stage.pinger.wait_for_pings(30)  # At least one of them on a new connection.
            cookies = clients.kernel_count("TcpExt", "SyncookiesSent") - cookies
        stage.check(cookies > count // 2, f"only {cookies} of {count} SYNs came while the queue was full")
        stage.did(count, f"SYNs sent, {cookies} of them beyond the backlog")
        stage.bound_cpu(visits=stage.moved("accepted"), events=count)
        for one in senders:
            one.close()
        stage.finish()
