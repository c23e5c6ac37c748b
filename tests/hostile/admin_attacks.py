"""Attacks on the admin thread: crowds that are silent or slow, and what a browser can be made to send.

Its connections are not those of the echo service, so run.visitors does not count them.
"""

import select
import socket
import tempfile
import time
from collections import Counter
from contextlib import suppress

import admin_requests
import stream_sockets
from admin_requests import Address, Answer
from scenario_run import MIB, ScenarioRun

MOST_PROBE_S = 1.0  # The aim is 0.05 s. A silent crowd that keeps others out would take the 2 s of its deadline.
ADMIN_KIB = 1024  # What 64 requests with their answers may need, and what the allocator keeps of it.
CONFIG = 'workers = 2\n[admin]\nsocket = "{}"\naddress = "{}"\nport = {}\n'


class Crowd:
    """Clients of the admin socket. Each that echod closes is replaced at once by a new one."""

    def __init__(self, path: str, silent: int, dripping: int):
        self._path = path
        self._poll = select.epoll()
        self._silent: dict[int, socket.socket] = {}
        self._dripping: dict[int, socket.socket] = {}
        self.came = 0
        self.drops = 0
        for group, count in ((self._silent, silent), (self._dripping, dripping)):
            for _ in range(count):
                self._join(group)

    def _join(self, group: dict[int, socket.socket]) -> None:
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(self._path)  # BlockingIOError: the accept queue is full.
        except OSError:
            one.close()
            raise
        group[one.fileno()] = one
        self._poll.register(one, select.EPOLLRDHUP)
        self.came += 1

    def drip(self) -> None:
        """Each dripping client sends a byte, and each that was closed comes again."""
        for one in self._dripping.values():
            with suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
                one.send(b"G")
                self.drops += 1
        for descriptor, _ in self._poll.poll(0):
            group = self._silent if descriptor in self._silent else self._dripping
            self._poll.unregister(descriptor)
            group.pop(descriptor).close()
            self._join(group)

    def close(self) -> None:
        for one in (*self._silent.values(), *self._dripping.values()):
            one.close()
        self._poll.close()


def admin_crowd(run: ScenarioRun) -> None:
    """Silent and dripping clients crowd the admin socket and come again whenever they are pushed out. Every probe is
    answered.
    """
    each, probes = 200, 200
    with tempfile.TemporaryDirectory(prefix="echod-test-") as directory:
        path = f"{directory}/admin.sock"
        run.start(CONFIG.format(path, "", 9862))
        warm_up(path)
        times = []
        with run.attack(connections=0, buffers_kib=ADMIN_KIB):
            crowd = Crowd(path, each, each)
            began = time.monotonic()
            for _ in range(probes):
                crowd.drip()
                asked = time.monotonic()
                answer = admin_requests.ask(path, "/healthz")
                times.append(time.monotonic() - asked)
                run.check(answer == Answer(200, "ok\n"), f"/healthz was answered with {answer}")
            seconds = time.monotonic() - began
            crowd.close()
        times.sort()
        run.did(each, "silent and as many dripping clients")
        run.did(crowd.came, "connections of them")
        run.did(crowd.drops, "single bytes")
        run.did(probes, f"probes, answered after at most {1000 * times[-1]:.1f} ms, "
                        f"half of them within {1000 * times[probes // 2]:.1f} ms")
        run.result.figures["longest_probe_ms"] = round(1000 * times[-1], 2)
        run.check(crowd.came > 2 * 2 * each, "the clients were not pushed out")
        run.check(times[-1] < MOST_PROBE_S, f"a probe took {times[-1]:.3f} s")
        run.bound_cpu(visits=crowd.came + probes, echoes=crowd.drops, seconds=seconds)
        run.finish(kept_kib=ADMIN_KIB)


def admin_browser(run: ScenarioRun) -> None:
    """What a web page can make the browser of somebody near echod send: nothing of it is obeyed or learns anything."""
    headers_mib, garbage = 12, 300
    with stream_sockets.reserved_port() as port:
        run.start(CONFIG.format("", "127.0.0.1", port))
        address: Address = ("127.0.0.1", port)
        warm_up(address)
        answers: Counter[int] = Counter()
        with run.attack(connections=0, buffers_kib=ADMIN_KIB):
            began = time.monotonic()
            for target, method, host, status in forged():
                answer = admin_requests.ask(address, target, method, host)
                answers[answer.status] += 1
                run.check(answer.status == status and answer.body.startswith("echod: ") == (status != 200),
                          f"{method} {target} with Host {host!r}: {answer.status} {answer.body[:80]!r}, not {status}")
            sent = flood_with_headers(run, address, headers_mib * MIB)
            answers += pipeline(run, address, garbage)
            run.check(admin_requests.ask(address, "/healthz") == Answer(200, "ok\n"), "/healthz is not ok")
            seconds = time.monotonic() - began
        run.did(answers.total(), "requests: " + ", ".join(f"{count} times {status}"
                                                          for status, count in sorted(answers.items())))
        run.did(sent // 1024, "KiB of headers taken of one client")
        run.check(run.moved("closed_by_operator") == 0, "a connection was closed")
        run.bound_cpu(visits=answers.total(), mib=sent / MIB, seconds=seconds)
        run.finish(kept_kib=ADMIN_KIB)


def warm_up(address: Address) -> None:
    """Asks for everything once, so that the memory that the allocator keeps is not counted."""
    for target in ("/", "/metrics", "/status"):
        for _ in range(3):
            admin_requests.ask(address, target)


def forged() -> list[tuple[str, str, str, int]]:
    """Requests (target, method, Host) and the status of their answers."""
    foreign = ("attacker.example", "attacker.example:9862", "localhost.attacker.example", "127.0.0.1.attacker.example",
               "127.0.0.1.nip.io", "attacker.example@127.0.0.1", "0x7f000001.example", "localhost.", "[::1].example",
               "localhost:9862.example", "127.0.0.1:9862:9862", "127.1", "2130706433", "[::1", "::1]")
    own = ("127.0.0.1", "localhost", "LOCALHOST:9862", "127.0.0.1:9862", "[::1]:9862", "192.0.2.1")
    paths = ("/", "/metrics", "/healthz", "/status")
    control = ("/connections", "/connections/0-0-0", "/log-level?file=trace", "/drain", "/upgrade?force=true")
    return ([(path, "GET", host, 403) for host in foreign for path in paths]
            + [("/status", "GET", host, 200) for host in own]
            + [(path, method, host, 405) for host in ("localhost", "attacker.example") for path in control
               for method in ("POST", "DELETE", "PUT", "OPTIONS", "PATCH")]
            + [(path, "GET", "localhost", 403) for path in control]
            + [("http://attacker.example/status", "GET", "attacker.example", 400)])


def flood_with_headers(run: ScenarioRun, address: Address, size: int) -> int:
    """Sends so many bytes of headers, or until echod takes no more. Returns how many it took."""
    sent = 0
    data = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(64))
    with admin_requests.connect(address) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < size:
                one.sendall(data)
                sent += len(data)
        with suppress(ConnectionResetError):  # The reset may come before the answer was read.
            answer = admin_requests.receive(one)
            run.check(answer.status == 431, f"12 MB of headers were answered with {answer.status}")
    return sent


def pipeline(run: ScenarioRun, address: Address, count: int) -> Counter[int]:
    """Sends a request with garbage or further requests behind it: there is one answer. Then garbage alone."""
    answers: Counter[int] = Counter()
    post = admin_requests.request("/drain", "POST")
    for number in range(count):
        behind = (post * 20, run.rng.randbytes(4000), admin_requests.request("/status") * 20)[number % 3]
        answer = admin_requests.exchange(address, admin_requests.request("/healthz") + behind)
        run.check(answer == Answer(200, "ok\n"), f"with {behind[:20]!r} behind it: {answer}")
        answers[answer.status] += 1
        begin = run.rng.choice((b"\0", b"\r\n\r\n", b"GET  /", b"GET / HTTP/9.9\r\n", b"\x16\x03\x01"))
        answer = admin_requests.exchange(address, begin + run.rng.randbytes(200) + b"\r\n\r\n")
        run.check(400 <= answer.status < 600, f"garbage was answered with {answer.status}")
        answers[answer.status] += 1
    return answers
