"""Crowds of clients: faster than they can be accepted, more than the limit, or gone before they are served."""

import random
import socket
import subprocess

import clients
import raw_packets
from echod_process import wait_until
from scenario_run import NotPossible, ScenarioRun
from wire import Namespace

HELLO = b"hello"


def rst_storm(run: ScenarioRun) -> None:
    """RSTs come at any time: before a byte, while bytes are under way in both directions, or after a FIN."""
    count, at_a_time = 20_000, 50
    run.start("workers = 2\n[buffers]\ntotal_mib = 2\n")
    data = run.rng.randbytes(65536)
    with run.attack(connections=at_a_time, buffers_kib=2048):
        held: list[socket.socket] = []
        for number in range(count):
            one = clients.connect(run.port, number)
            one.setblocking(False)
            misbehave(one, data, run.rng)
            held.append(one)
            if len(held) == at_a_time or run.rng.random() < 0.1:
                clients.reset(held.pop(run.rng.randrange(len(held))))
        for one in held:
            clients.reset(one)
        run.visitors += count
        wait_until("most to be closed", lambda: sum(run.closed().values()) >= count)
    run.did(count, "connections reset")
    run.check(run.closed()["reset"] > count // 10, f"only {run.closed()['reset']} resets were seen")
    run.bound_cpu(visits=count, mib=run.moved("bytes_sent") / 2**20)
    run.finish(kept_kib=2048)


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


def syn_and_close(run: ScenarioRun) -> None:
    """Clients connect and close at once, also while echod is stopped and the queue is full. Others are served."""
    waves, size, backlog = 10, 2000, 256
    run.start(f'[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = {backlog}\n[turn]\naccepts = 4\n')
    overflows = clients.overflows()
    with run.attack(connections=backlog + 1):
        for wave in range(waves):
            is_beyond = wave % 2 == 1  # echod is stopped while this wave connects.
            if is_beyond:
                run.daemon.freeze()
            came = [clients.begin_connect(run.port, wave * size + number) for number in range(size)]
            run.rng.shuffle(came)
            for one in came:
                if run.rng.random() < 0.5:
                    clients.reset(one)
                else:
                    one.close()
            if is_beyond:
                run.daemon.thaw()
            run.pinger.wait_for_pings(5)
        run.visitors += waves * size
    run.did(waves * size, "connections opened and closed at once")
    run.did(clients.overflows() - overflows, "of them beyond the backlog")
    run.check(clients.overflows() - overflows > waves, "the accept queue was never full")
    run.check(run.moved("empty_connections") > waves // 2 * backlog, "they were not counted as empty")
    run.bound_cpu(visits=run.moved("accepted"), events=waves * size)
    run.finish(may_lose=True)


def connect_flood(run: ScenarioRun) -> None:
    """More clients than limits.max_connections: they wait in the backlog and are served in turn. It is logged once."""
    most = 200
    run.start(f'workers = 2\n[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = 1024\n'
              f'[limits]\nmax_connections = {most}\n', reconnects=False)
    run.daemon.expect_log("full on ")
    crowd(run, 1200, most)


def crowd(run: ScenarioRun, count: int, most: int) -> None:
    with run.attack(connections=most):
        those = clients.connect_many(run.port, count)
        run.visitors += count
        for one in those:
            one.send(HELLO)
        run.daemon.wait_for_counter("paused_full", 1)
        run.hold()
        open_now = run.daemon.counters()["connections"]
        run.check(0 < open_now <= most, f"{open_now} connections are open")
        served = 0
        for one in those:  # In the order of the backlog, which is about the order of service.
            one.settimeout(60)
            served += clients.receive(one, len(HELLO)) == HELLO
            one.close()
        run.check(served == count, f"{served} of {count} were served")
        told = run.daemon.log_text().count("full on ")
        run.check(told == 1, f"the log said {told} times that it is full")
    run.did(count, f"clients, of which {open_now} were open at a time")
    run.bound_cpu(visits=count, seconds=2)
    run.finish()


def port_scanner(run: ScenarioRun) -> None:
    """Connections to all ports that close at once, in several ways. Each is counted as empty."""
    count, ports = 8000, 4
    run.start("workers = 2\n" + '[[listen]]\naddress = "127.0.0.1"\nport = 0\n' * ports)
    with run.attack(connections=count):
        for number in range(count):
            one = clients.connect(run.daemon.ports[number % ports], number)
            kind = number % 3
            if kind == 0:
                clients.reset(one)
            elif kind == 1:
                one.shutdown(socket.SHUT_WR)
                one.close()
            else:
                one.close()
        run.visitors += count
        wait_until("all to be counted as empty", lambda: run.moved("empty_connections") >= count)
    run.did(count, f"connections to {ports} ports")
    run.bound_cpu(visits=count)
    run.finish()


def raw_scanner(run: ScenarioRun) -> None:
    """Half handshakes, segments without a handshake, and segments forged into a connection of another client."""
    count = 12_000
    run.start("workers = 2\n")
    try:
        senders = [raw_packets.Sender(source) for source in ("127.0.0.1", "127.0.9.9")]
    except PermissionError as error:
        raise NotPossible(f"raw sockets: {error}") from error
    server = ("127.0.0.1", run.port)
    victim = clients.connect(run.port)
    client = victim.getsockname()
    forgers = [(raw_packets.Sender(client[0]), client[1], server), (senders[0], run.port, client)]
    resets = clients.kernel_count("Tcp", "OutRsts")
    with run.attack(connections=1):
        for number in range(count):
            flags = run.rng.choice(list(raw_packets.SCANS.values()))
            senders[number % 2].send(run.rng.randint(1024, 32767), server, flags, run.rng)
            forger, port, target = forgers[number % 2]
            flags = run.rng.choice((raw_packets.RST, raw_packets.SYN, raw_packets.FIN | raw_packets.ACK,
                                    raw_packets.PSH | raw_packets.ACK))
            forger.send(port, target, flags, run.rng, b"forged" if flags & raw_packets.PSH else b"")
        clients.echo(victim, run.rng.randbytes(1000))
        answered = clients.kernel_count("Tcp", "OutRsts") - resets
        run.check(answered > count // 4, f"the kernel answered only {answered} of {count} scans")
        empty = run.moved("empty_connections")
        run.check(empty == 0, f"{empty} connections were accepted without a handshake")
    run.visitors += 1
    run.did(count, f"scans ({', '.join(raw_packets.SCANS)})")
    run.did(count, "segments forged into a connection")
    run.bound_cpu(visits=run.moved("accepted"), events=2 * count)
    clients.close_all([victim])
    for one in (*senders, forgers[0][0]):
        one.close()
    run.finish()


def syn_flood(run: ScenarioRun) -> None:
    """SYNs with the addresses of hosts that never answer, many more than the backlog takes."""
    count, unanswering = 20_000, "198.51.100.0/24"  # RFC 5737: addresses that no host has.
    try:
        namespace = Namespace()
    except OSError as error:
        raise NotPossible(f"a network namespace: {error}") from error
    with namespace.entered():
        for command in ("link set lo up", f"route add {unanswering} dev lo"):
            subprocess.run(["ip", *command.split()], check=True)
        run.start('workers = 2\n[[listen]]\naddress = "127.0.0.1"\nport = 0\nbacklog = 128\n')
        senders = [raw_packets.Sender(f"198.51.100.{host}") for host in range(1, 250)]
        cookies = clients.kernel_count("TcpExt", "SyncookiesSent")
        with run.attack(connections=128):
            for number in range(count):
                run.rng.choice(senders).send(run.rng.randint(1024, 65535), ("127.0.0.1", run.port),
                                             raw_packets.SYN, run.rng)
                if number % 1000 == 0:
                    run.pinger.wait_for_pings(30)  # At least one of them on a new connection.
            cookies = clients.kernel_count("TcpExt", "SyncookiesSent") - cookies
        run.check(cookies > count // 2, f"only {cookies} of {count} SYNs came while the queue was full")
        run.did(count, f"SYNs sent, {cookies} of them beyond the backlog")
        run.bound_cpu(visits=run.moved("accepted"), events=count)
        for one in senders:
            one.close()
        run.finish()
