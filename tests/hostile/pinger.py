"""A well-behaved client that runs beside the hostile clients. It sends pings and checks every byte of the echoes."""

import multiprocessing
import random
import socket
import time
from ctypes import c_bool, c_uint64
from dataclasses import dataclass
from multiprocessing.connection import Connection

import clients
from echod_process import PATIENCE_S, Broken, wait_until

PINGS_A_VISIT = 25  # After so many pings one of the connections is replaced by a new one.
PACE_S = 0.002  # Keeps its own load small.
LARGEST = 4096


@dataclass
class Report:
    """The result of the pinger. `error`: why it stopped early, or empty."""

    pings: int = 0
    connections: int = 0
    worst_s: float = 0.0
    error: str = ""


class Pinger:
    """Pings from its own process, so that the hostile clients do not take its CPU time.

    Create it before the sockets of the hostile clients: the process would inherit them. `reconnects`: it also replaces
    its connections by new ones from time to time.
    """

    def __init__(self, port: int, seed: int, connections: int, reconnects: bool):
        self._connections = connections
        self._reconnects = reconnects
        context = multiprocessing.get_context("fork")
        self._count = context.RawValue(c_uint64)
        self._is_over = context.RawValue(c_bool)
        self._reports, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=self._run, args=(port, random.Random(seed), theirs),
                                        daemon=True)
        self._process.start()
        theirs.close()
        self.wait_for_pings(connections)

    def wait_for_pings(self, more: int) -> None:
        """Waits until it has done so many more pings, or has ended."""
        wanted = self._count.value + more
        wait_until(f"{more} more pings", lambda: self._count.value >= wanted or not self._process.is_alive())

    @property
    def pings(self) -> int:
        return self._count.value

    def stop(self) -> Report:
        self._is_over.value = True
        if not self._reports.poll(2 * PATIENCE_S):
            raise Broken("the pinger does not stop")
        report: Report = self._reports.recv()
        self._process.join()
        return report

    def kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _run(self, port: int, rng: random.Random, reports: Connection) -> None:
        report = Report()
        try:
            self._ping(port, rng, report)
        except (OSError, Broken) as error:
            report.error = f"ping {report.pings}: {error}"
        reports.send(report)

    def _ping(self, port: int, rng: random.Random, report: Report) -> None:
        sockets: list[socket.socket] = []
        while not self._is_over.value:
            if len(sockets) < self._connections or (self._reconnects and report.pings % PINGS_A_VISIT == 0):
                if len(sockets) == self._connections:
                    sockets.pop(0).close()
                sockets.append(clients.connect(port))
                report.connections += 1
            payload = rng.randbytes(rng.randint(1, LARGEST))
            start = time.monotonic()
            clients.echo(sockets[report.pings % len(sockets)], payload)
            report.worst_s = max(report.worst_s, time.monotonic() - start)
            report.pings += 1
            self._count.value = report.pings
            time.sleep(PACE_S)
        for one in sockets:
            one.close()
