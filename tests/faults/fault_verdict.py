"""Judges how echod handled one fault.

It may refuse to start, with the reason in one line. Otherwise it must serve every client that the fault did not hit,
leak nothing, not spin, and report the fault to the operator.
"""

import os
import re
from dataclasses import dataclass

from fault_table import Fault, is_silent, is_reported_otherwise
from scenario import FIRST, NEXT, Run

REFUSALS = (64, 69, 71, 77, 78)  # Exit codes of daemon/service/exit_codes.hpp, without those for bugs.
# A line of the log. For the journal only lines below the level error, because the reason of a refusal is an error line.
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - [A-Z]+ - .|<[4-7]>.")
BROKEN = re.compile(r"Sanitizer|runtime error:|terminate called|invariant|core dumped"
                    r"|^echod-faults: (?:cannot|no |too)", re.MULTILINE)
COUNTER = re.compile(r"\b(\w+)=(\d+)")
# Counters that stay 0 as long as nothing goes wrong.
COMPLAINTS = ("log_write_failures", "log_lines_dropped", "accept_errors", "paused_resources", "register_failures",
              "connection_lines_suppressed", "closed_io_error", "closed_timed_out", "reloads_refused",
              "upgrades_refused", "upgrades_failed", "datagram_receive_errors")


@dataclass(frozen=True)
class Bounds:
    """The most system calls and CPU time that a run without a fault took."""

    calls: int
    cpu_s: float

    def spins(self, run: Run) -> str:
        if run.record.calls > 2 * self.calls + 1000:
            return f"{run.record.calls} system calls; without a fault {self.calls}"
        if run.cpu_s > 2 * self.cpu_s + 0.5:
            return f"{run.cpu_s:.2f} s of CPU; without a fault {self.cpu_s:.2f} s"
        return ""


@dataclass(frozen=True)
class Injected:
    """The fault that was injected into a run. For an allocation `fault` is None."""

    call: str = ""
    functions: str = ""  # The functions that made the call, the innermost first.
    fault: Fault | None = None
    program: int = FIRST  # The number of the program that it hit.
    is_lasting: bool = False  # It hits each upgrade.

    @property
    def is_transient(self) -> bool:
        # pthread_create(3) fails with EAGAIN if there are too many threads, which is not transient.
        return self.fault is not None and self.fault.is_transient and self.call != "clone3"

    @property
    def text(self) -> str:
        """The text that the operator must find in the log."""
        return os.strerror(self.fault.value) if self.fault and self.fault.code else "memory"

    @property
    def is_silent(self) -> bool:
        return self.is_transient or is_silent(self.call, self.functions)


def complaints(text: str) -> set[str]:
    return {name for name, value in COUNTER.findall(text) if name in COMPLAINTS and int(value) > 0}


def is_last_line(run: Run) -> bool:
    """The fault hit standard error at the last lines, the counters and "stopped: ". It cannot be reported after them,
    but the log file has the lines.
    """
    dated = [line for line in run.text.splitlines() if line[:1].isdigit()]  # Lines for the journal have no date.
    by_time = "\n".join(sorted(dated))
    at_end = by_time.partition("- stopping because of ")[2]
    return "- stopped: " in at_end and ("stopped: " not in run.stderr or "- counters: " not in at_end)


def is_reported(run: Run, injected: Injected) -> bool:
    return (injected.text in run.text or bool(complaints(run.text))
            or is_reported_otherwise(injected.call, injected.functions, run.text) or is_last_line(run))


def judge_refusal(run: Run, injected: Injected | None) -> list[str]:
    said = [line for line in run.stderr.splitlines() if not LOG_LINE.match(line)]
    faults = []
    if run.status not in REFUSALS:
        faults.append(f"ended with {run.status} before it served")
    if len(said) != 1:
        faults.append(f"{len(said)} lines, not 1, say why it does not start")
    elif injected and injected.text not in said[0]:
        faults.append(f"does not say {injected.text!r} when it does not start: {said[0]}")
    if injected is None or injected.is_transient or injected.is_silent:
        faults.append("refused to start without a reason")
    return faults


def judge_clients(run: Run, injected: Injected | None) -> list[str]:
    """Only the connection that was hit may lose bytes. It is not known which connection an allocation was for, so then
    as many connections may lose bytes as echod has counted.
    """
    wrong = [client for client in run.clients if client.error]
    if injected and injected.fault is None:
        counted = [int(value) for name, value in COUNTER.findall(run.text) if name == "closed_io_error"]
        wrong = wrong[max(counted, default=0):]
    elif injected and not injected.is_transient:
        wrong = [client for client in wrong if client.port != run.record.peer_port]
    return [f"a connection that was not hit: {client.error}" for client in wrong]


def judge_admin(run: Run, injected: Injected | None) -> list[str]:
    """A fault may cost the requests that it hits. They are sent again."""
    faults = [f"the admin thread: {fault}" for fault in run.admin_faults]
    if run.admin_retries and (injected is None or injected.is_transient):
        faults.append(f"the admin thread did not answer {run.admin_retries} requests")
    return faults


def judge_messages(messages: list[str]) -> list[str]:
    words = [word for message in messages for word in message.splitlines() if word in ("READY=1", "RELOADING=1")]
    return ["the manager got RELOADING=1, and no READY=1 after it"] if words and words[-1] == "RELOADING=1" else []


def has_ended_in_upgrade(run: Run, injected: Injected | None) -> bool:
    """Whether the next program could not start. Then there is no way back (docs/upgrade.md)."""
    return injected is not None and injected.program == NEXT and run.has_served and run.status in REFUSALS


def judge_upgrade(run: Run, injected: Injected | None) -> list[str]:
    """The last of the upgrades must have succeeded, unless the fault is lasting. All others are counted."""
    lines = [line for line in run.text.splitlines() if "counters: " in line]
    counters = {name: int(value) for name, value in COUNTER.findall(lines[-1] if lines else "")}
    faults = []
    wanted = 0 if injected and injected.is_lasting else 1
    if counters.get("upgrades") != wanted:
        faults.append(f"upgrades={counters.get('upgrades')}, expected {wanted}")
    if run.refusals > counters.get("reloads_refused", 0):
        faults.append(f"{run.refusals} upgrades were refused, but reloads_refused={counters.get('reloads_refused')}")
    if run.refusals and (injected is None or injected.is_transient):
        faults.append("an upgrade was refused without a reason")
    return faults


# An upgraded program that cannot register a listener says so and goes on without it. New clients cannot connect then.
LISTENER_LOST = "; reload to try again"


def judge(run: Run, injected: Injected | None, bounds: Bounds | None) -> list[str]:
    """Returns what is wrong with a run. `injected` is None for a run without a fault."""
    faults = []
    if found := BROKEN.search(run.text):
        faults.append(f"broken: {run.text[found.start():][:200]!r}")
    if run.hung and not (run.first_of_upgrade and LISTENER_LOST in run.text):
        faults.append(f"hung: {run.hung}")
    if bounds and (spinning := bounds.spins(run)):
        faults.append(f"spins: {spinning}")
    if not run.has_served or has_ended_in_upgrade(run, injected):
        return faults + judge_refusal(run, injected)
    if run.first_of_upgrade and not run.hung:
        faults += judge_upgrade(run, injected)
    if run.status != 0 and not run.hung:
        faults.append(f"ended with {run.status}")
    if run.leaked:
        faults.append(f"leaked descriptors: {run.leaked}")
    if injected is None and run.retries:
        faults.append("did not react to the first signal")
    faults += judge_clients(run, injected) + judge_admin(run, injected)
    if injected is None or "LocalSender" not in injected.functions:  # LocalSender: the fault hit a message itself.
        faults += judge_messages(run.messages)
    if injected and not injected.is_silent and not is_reported(run, injected):
        faults.append(f"not reported: neither {injected.text!r} in the log nor a counter")
    return faults
