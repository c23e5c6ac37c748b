#!/usr/bin/env python3
"""Scenarios that need their own kernel: networks that delay, reorder, repeat and corrupt packets, clocks that jump, and
a machine that is stopped for a while. guest-init.sh runs them in a virtual machine; this program judges them.
"""

import argparse
import json
import lzma
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

import virtual_machine

IDLERS, TALKERS, IDLE_S = 30, 20, 25.0  # The same values as in guest-init.sh.
PAUSE_S, TALK_RATE = 10.0, 100  # How long the machine is stopped, and the messages per second that are due meanwhile.
PATIENCE_S = 300  # How long to wait for the next line of the guest.
REST_SHARE = 0.4  # The bound on the share of an emulated CPU with little traffic; spinning would take 1.
SWEEP = 1 / 8  # How late a timeout may be (timeout_sweep.hpp).
LATE_S = 3.0  # An emulated machine is slow.
MODES = ("messages", "stream", "half_close")


class Failure(Exception):
    """An error that is reported to the user in one line."""


@dataclass
class Rest:
    """A second with little traffic. `until_s`: its end, by the guest's monotonic clock."""

    name: str
    cpu_share: float
    until_s: float
    logged: str  # The date of a log line at that time.
    counters: dict[str, int]


@dataclass
class Scenario:
    """A scenario, with the facts that the guest printed."""

    name: str
    began: float = field(default_factory=time.monotonic)
    facts: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def fact(self, name: str) -> str:
        if name not in self.facts:
            raise Failure(f"the guest did not report {name}")
        return self.facts[name][-1]

    def check(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.failures.append(otherwise)

    @property
    def counters(self) -> dict[str, int]:
        return numbers(self.fact("counters"))

    @property
    def rests(self) -> list[Rest]:
        rests = []
        for line in self.facts.get("rest", []):
            name, cpu, since, until, logged = line.split(" ", 4)
            share = float(cpu) / 1e9 / (float(until) - float(since))
            rests.append(Rest(name, share, float(until), logged[:19], numbers(logged.partition(" counters: ")[2])))
        return rests

    def moved(self) -> dict[str, int]:
        """Returns by how much the kernel's counters changed during the load, and what netem sent and dropped."""
        before, after = kernel_counts(self.facts["before"]), kernel_counts(self.facts["after"])
        netem = re.search(r"(\d+) pkt \(dropped (\d+)", "\n".join(self.facts["qdisc"]))
        if not netem:
            raise Failure("netem was not active")
        return {name: after[name] - before[name] for name in after} | {"sent": int(netem[1]), "dropped": int(netem[2])}


def numbers(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (pair.split("=") for pair in text.split())}


def kernel_counts(lines: list[str]) -> dict[str, int]:
    """Parses /proc/net/snmp: each protocol has a line of names and a line of values."""
    counts: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        counts |= dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
    return counts


def other_ends(counters: dict[str, int]) -> dict[str, int]:
    """Returns how many connections were closed, by reason, without those closed by the peer's FIN."""
    return {name: value for name, value in counters.items()
            if name.startswith("closed_") and name != "closed_peer_closed" and value}


def judge_end(scenario: Scenario) -> None:
    """Judges how echod ended. For every scenario."""
    scenario.check(scenario.fact("echod_status") == "0", f"echod ended with status {scenario.fact('echod_status')}")
    for complaint in scenario.facts.get("complaint", []):
        scenario.check(False, complaint)
    counters = scenario.counters
    closed = sum(value for name, value in counters.items() if name.startswith("closed_"))
    scenario.check(counters["accepted"] == closed,
                   f"accepted={counters['accepted']}, but the sum of closed_* is {closed}")


def judge_network(scenario: Scenario, marks: dict[str, float]) -> None:
    """Judges a network. `marks`: the least share of all packets that these counters must have, to show that the network
    was disturbed as intended.
    """
    sent = cycles = 0
    for mode in MODES:
        status, said = scenario.fact(f"status_of_{mode}"), " ".join(scenario.facts.get(f"said_{mode}", []))
        scenario.check(status == "0", f"echoload, {mode}: status {status}: {said}")
        if f"load_{mode}" in scenario.facts:
            result = json.loads(scenario.fact(f"load_{mode}"))
            scenario.check(result["echoes"] > 0, f"echoload, {mode}: no echo came")
            sent += result["bytes_sent"]
            cycles += result["echoes"] if mode == "half_close" else 0
    counters = scenario.counters
    scenario.check(counters["bytes_received"] == counters["bytes_sent"] >= sent,
                   f"{counters['bytes_received']} bytes came in, {counters['bytes_sent']} went out, {sent} were sent")
    wrong = other_ends(counters)
    scenario.check(not wrong, f"connections were closed: {wrong}")
    scenario.events += [f"{sent / 2**20:.1f} MiB echoed", f"{cycles} connections half-closed"]
    moved = scenario.moved()
    scenario.events.append(f"{moved['sent']} packets")
    for name, part in marks.items():
        least = math.ceil(part * moved["sent"])
        scenario.check(moved[name] >= least, f"{name} grew by {moved[name]}; it must grow by at least {least}")
        scenario.events.append(f"{name} {moved[name]}")


def judge_rests(scenario: Scenario, connections: int) -> None:
    """Checks that no connection was closed, except echoload's by its own FIN, and that nothing spins."""
    for rest in scenario.rests:
        wrong = other_ends(rest.counters)
        scenario.check(not wrong, f"{rest.name}: connections were closed: {wrong}")
        scenario.check(rest.counters["connections"] == connections,
                       f"{rest.name}: {rest.counters['connections']} connections of {connections}")
        scenario.check(rest.cpu_share <= REST_SHARE,
                       f"{rest.name}: {rest.cpu_share:.0%} of a CPU at rest; the bound is {REST_SHARE:.0%}")
    scenario.events.append(f"at rest {max(rest.cpu_share for rest in scenario.rests):.0%} of a CPU at most")


def judge_talkers(scenario: Scenario) -> None:
    status, said = scenario.fact("status_of_talkers"), " ".join(scenario.facts.get("said_talkers", []))
    scenario.check(status == "0", f"the talkers: status {status}: {said}")
    counters = scenario.counters
    scenario.check(counters["bytes_received"] == counters["bytes_sent"], "bytes are missing")
    scenario.events.append(f"{counters['echoes']} echoes")


def judge_clock(scenario: Scenario) -> None:
    judge_talkers(scenario)
    judge_rests(scenario, IDLERS + TALKERS)
    since, until = float(scenario.fact("idle_since")), float(scenario.fact("idle_until"))
    latest = IDLE_S * (1 + SWEEP) + LATE_S
    scenario.check(scenario.rests[-1].until_s < since + IDLE_S, "the jumps took longer than idle_s")
    scenario.check(IDLE_S - 1 <= until - since <= latest,
                   f"idle connections were closed after {until - since:.1f} s; idle_s is {IDLE_S:g}")
    scenario.check(scenario.counters["closed_idle_timeout"] == IDLERS, "not all idle connections were closed")
    for rest in scenario.rests:
        wanted = time.strftime("%Y-%m-%d", time.gmtime(int(rest.name)))
        scenario.check(rest.logged.startswith(wanted), f"a log line of {wanted} has the date {rest.logged}")
    scenario.events += [f"{len(scenario.rests)} jumps",
                        f"idle connections closed after {until - since:.1f} s of {IDLE_S:g}"]


def judge_pause(scenario: Scenario) -> None:
    judge_talkers(scenario)
    judge_rests(scenario, IDLERS)
    (paused_at, echoes_before), (resumed_at, echoes_after) = (
        map(float, scenario.fact(name).split()) for name in ("paused", "resumed"))
    went_on, meanwhile = resumed_at - paused_at, int(echoes_after - echoes_before)
    is_right = (went_on >= PAUSE_S) == (scenario.name == "frozen")
    scenario.check(is_right, f"the guest's clock advanced by {went_on:.1f} s")
    scenario.check(meanwhile < TALK_RATE * PAUSE_S / 2, f"{meanwhile} echoes came while the machine was stopped")
    scenario.events.append(f"a pause of {PAUSE_S:g} s; the guest's clock advanced by {went_on:.1f} s")


JUDGES: dict[str, Callable[[Scenario], None]] = {
    "delay": lambda one: judge_network(one, {"TCPOFOQueue": 0.02}),
    "loss": lambda one: judge_network(one, {"dropped": 0.01}),
    "duplicates": lambda one: judge_network(one, {"TCPDSACKRecv": 0.05}),
    "corruption": lambda one: judge_network(one, {"InCsumErrors": 0.001}),
    "all": lambda one: judge_network(one, {"dropped": 0.01, "TCPOFOQueue": 0.02}),
    "clock_jumps": judge_clock,
    "frozen": judge_pause,
    "suspended": judge_pause,
}


class Guest:
    """The process of the virtual machine, and its output."""

    def __init__(self, process: subprocess.Popen[str], monitor: Path, raw: Path):
        self.process = process
        self.monitor = monitor
        self.raw = raw

    def scenarios(self) -> list[Scenario]:
        """Reads and judges all scenarios. Each is reported when the next one begins."""
        found: list[Scenario] = []
        assert self.process.stdout
        has_ended = False
        with self.raw.open("w", encoding="utf-8") as raw:
            for line in self.process.stdout:
                signal.alarm(PATIENCE_S)
                raw.write(line)
                word, _, rest = line.rstrip("\r\n").partition(" ")
                if word in ("begin", "end"):
                    if found:
                        conclude(found[-1])
                    has_ended = word == "end"
                    if not has_ended:
                        found.append(Scenario(rest))
                elif word == "fact" and found:
                    name, _, value = rest.partition(" ")
                    found[-1].facts.setdefault(name, []).append(value)
                elif word == "host":
                    self.serve(rest)
        if not has_ended:
            if found:
                conclude(found[-1])
            raise Failure("the machine ended early")
        return found

    def serve(self, request: str) -> None:
        """Stops the machine for PAUSE_S. "freeze" stops its process, and its clocks go on; "suspend" stops its clocks
        too.
        """
        if request == "freeze":
            self.process.send_signal(signal.SIGSTOP)
        else:
            self.order("stop")
        time.sleep(PAUSE_S)  # The pause that is tested.
        if request == "freeze":
            self.process.send_signal(signal.SIGCONT)
        else:
            self.order("cont")
        assert self.process.stdin
        self.process.stdin.write("done\n")
        self.process.stdin.flush()

    def order(self, command: str) -> None:
        """Gives a command to QEMU's monitor, and waits for its next prompt: the command is done then."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(PATIENCE_S)
            monitor.connect(str(self.monitor))
            said = b""
            for words in ("", command + "\n"):
                monitor.sendall(words.encode())
                prompts = said.count(b"(qemu) ")
                while said.count(b"(qemu) ") == prompts:
                    said += monitor.recv(4096)


def conclude(scenario: Scenario) -> None:
    scenario.seconds = time.monotonic() - scenario.began
    try:
        judge_end(scenario)
        JUDGES[scenario.name](scenario)
    except (Failure, KeyError, ValueError, IndexError) as error:
        scenario.failures.append(f"{type(error).__name__}: {error}")
    print(f"{scenario.name:12} {'FAILED' if scenario.failures else 'ok':7} {scenario.seconds:5.1f} s  "
          f"{', '.join(scenario.events)}", flush=True)
    for failure in scenario.failures:
        print(f"    {failure}", flush=True)


def netem(kernel: Path, directory: Path) -> Path:
    """Copies the module sch_netem of this kernel, decompressed, for insmod(8)."""
    version = kernel.name.removeprefix("vmlinuz-")
    found = sorted(kernel.parents[1].glob(f"**/{version}/kernel/net/sched/sch_netem.ko*"))
    if not found:
        raise Failure(f"no module sch_netem beside {kernel}")
    content = lzma.decompress(found[0].read_bytes()) if found[0].suffix == ".xz" else found[0].read_bytes()
    needs = re.search(rb"\0depends=([^\0]+)\0", content)
    if needs:
        raise Failure(f"sch_netem needs other modules: {needs[1].decode()}")
    module = directory / "sch_netem.ko"
    module.write_bytes(content)
    return module


def run(arguments: argparse.Namespace, directory: Path) -> list[Scenario]:
    program = virtual_machine.missing_program()
    if program:
        raise Failure(f"{program} is missing: scripts/install-packages machine")
    parameters = directory / "parameters"
    parameters.write_text(f"LOAD_S={arguments.load_s}s\nSCENARIOS='{' '.join(arguments.names)}'\n", encoding="ascii")
    programs = {"echod": arguments.echod, "echoload": arguments.echoload, "tc": Path("/usr/sbin/tc")}
    files = {"init": HERE / "guest-init.sh", "parameters": parameters,
             "sch_netem.ko": netem(arguments.kernel, directory)}
    image = virtual_machine.make_initramfs(directory, programs, files)
    machine = virtual_machine.Machine(arguments.kernel, 2, "1G", virtual_machine.accelerator(),
                                      directory / "console.txt")
    monitor = directory / "monitor"
    process = machine.boot(image, options=("-monitor", f"unix:{monitor},server=on,wait=off"))
    signal.alarm(PATIENCE_S)
    try:
        return Guest(process, monitor, directory / "raw.txt").scenarios()
    except Failure as failure:
        raise Failure(f"{failure}: {machine.last_words()}") from failure
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def time_out(*_: object) -> None:
    raise Failure(f"the machine has printed nothing for {PATIENCE_S} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*JUDGES, []], metavar="NAME", help=f"of {', '.join(JUDGES)}")
    parser.add_argument("--kernel", type=Path, required=True, help="the kernel, with its modules in lib/modules beside")
    parser.add_argument("--echod", type=Path, default=ROOT / "build/release/daemon/echod")
    parser.add_argument("--echoload", type=Path, default=ROOT / "build/release/client/echoload")
    parser.add_argument("--load-s", type=int, default=3, help="seconds of each load of a network (3)")
    parser.add_argument("--keep", type=Path, help="a directory for the output of the guest")
    arguments = parser.parse_args()
    arguments.names = arguments.names or list(JUDGES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Runs the cleanup, which ends the machine.
    signal.signal(signal.SIGALRM, time_out)
    try:
        with tempfile.TemporaryDirectory(prefix="hostile-machine-") as temporary:
            directory = arguments.keep or Path(temporary)
            directory.mkdir(parents=True, exist_ok=True)
            scenarios = run(arguments, directory)
    except (Failure, OSError) as failure:
        print(f"hostile: {failure}", file=sys.stderr)
        return 1
    missing = set(arguments.names) - {scenario.name for scenario in scenarios}
    if missing:
        print(f"hostile: scenarios that did not run: {', '.join(sorted(missing))}", file=sys.stderr)
    return 1 if missing or any(scenario.failures for scenario in scenarios) else 0


if __name__ == "__main__":
    sys.exit(main())
