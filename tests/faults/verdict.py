"""Whether echod stood one fault: it refused to start and said why, or it served everybody whom the fault did not hit,
leaked nothing, did not spin, and told the operator."""

import os
import re
from dataclasses import dataclass

from fault_table import Fault, is_silent, is_told_otherwise
from scenario import Run

REFUSALS = (64, 69, 71, 77, 78)  # daemon/service/exit_codes.hpp, without those for bugs.
# A line of the log; to the journal, one that is no error, since the reason of a refusal has that form too.
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - [A-Z]+ - .|<[4-7]>.")
BROKEN = re.compile(r"Sanitizer|runtime error:|terminate called|invariant|core dumped|echod-faults:")
COUNTER = re.compile(r"\b(\w+)=(\d+)")
# Counters of what goes wrong: 0 as long as nothing does.
COMPLAINTS = ("log_write_failures", "log_lines_dropped", "accept_errors", "paused_resources", "register_failures",
              "connection_lines_suppressed", "closed_io_error", "closed_timed_out", "reloads_refused")


@dataclass(frozen=True)
class Bounds:
    """Of a run without a fault: the most that it took."""

    calls: int
    cpu_s: float

    def spins(self, run: Run) -> str:
        if run.record.calls > 2 * self.calls + 1000:
            return f"{run.record.calls} system calls, undisturbed {self.calls}"
        if run.cpu_s > 2 * self.cpu_s + 0.5:
            return f"{run.cpu_s:.2f} s of CPU, undisturbed {self.cpu_s:.2f} s"
        return ""


@dataclass(frozen=True)
class Injected:
    """What was done to a run. Allocations have no `fault`."""

    call: str = ""
    functions: str = ""  # That it came from, the innermost first.
    fault: Fault | None = None

    @property
    def is_transient(self) -> bool:
        # pthread_create(3) says EAGAIN when there are too many threads.
        return self.fault is not None and self.fault.is_transient and self.call != "clone3"

    @property
    def text(self) -> str:
        """What an operator must read."""
        return os.strerror(self.fault.value) if self.fault and self.fault.code else "memory"

    @property
    def is_silent(self) -> bool:
        return self.is_transient or is_silent(self.call, self.functions)


def complaints(text: str) -> set[str]:
    return {name for name, value in COUNTER.findall(text) if name in COMPLAINTS and int(value) > 0}


def is_last_line(run: Run) -> bool:
    """Nothing can be said of the last line, but the log file has it; nor of the counters before it."""
    dated = [line for line in run.text.splitlines() if line[:1].isdigit()]  # Lines to the journal are not.
    by_time = "\n".join(sorted(dated))
    at_end = by_time.partition("- stopping: ")[2]
    return "- stopped: " in at_end and ("stopped: " not in run.stderr or "- counters: " not in at_end)


def is_told(run: Run, injected: Injected) -> bool:
    return (injected.text in run.text or bool(complaints(run.text))
            or is_told_otherwise(injected.call, injected.functions, run.text) or is_last_line(run))


def judge_refusal(run: Run, injected: Injected | None) -> list[str]:
    said = [line for line in run.stderr.splitlines() if not LOG_LINE.match(line)]
    faults = []
    if run.status not in REFUSALS:
        faults.append(f"ended with {run.status} before it served")
    if len(said) != 1:
        faults.append(f"{len(said)} lines say why it does not start")
    elif injected and injected.text not in said[0]:
        faults.append(f"does not say {injected.text!r} when it does not start: {said[0]}")
    if injected is None or injected.is_transient or injected.is_silent:
        faults.append("refused to start without need")
    return faults


def judge_clients(run: Run, injected: Injected | None) -> list[str]:
    """Of an allocation nobody knows whom it was for: as many as are counted may have lost."""
    wrong = [client for client in run.clients if client.error]
    if injected and injected.fault is None:
        counted = [int(value) for name, value in COUNTER.findall(run.text) if name == "closed_io_error"]
        wrong = wrong[max(counted, default=0):]
    elif injected and not injected.is_transient:
        wrong = [client for client in wrong if client.port != run.record.peer_port]
    return [f"a connection that was not hit: {client.error}" for client in wrong]


def judge_messages(messages: list[str]) -> list[str]:
    words = [word for message in messages for word in message.splitlines() if word in ("READY=1", "RELOADING=1")]
    return ["the manager was told of a reload, and not of its end"] if words and words[-1] == "RELOADING=1" else []


def judge(run: Run, injected: Injected | None, bounds: Bounds | None) -> list[str]:
    """What is wrong; nothing if all is well. `injected`: nothing if the run was not disturbed."""
    faults = []
    if found := BROKEN.search(run.text):
        faults.append(f"broken: {run.text[found.start():][:200]!r}")
    if run.hung:
        faults.append(f"hung: {run.hung}")
    if bounds and (spinning := bounds.spins(run)):
        faults.append(f"spins: {spinning}")
    if not run.has_served:
        return faults + judge_refusal(run, injected)
    if run.status != 0 and not run.hung:
        faults.append(f"ended with {run.status}")
    if run.leaked:
        faults.append(f"leaked descriptors: {run.leaked}")
    if injected is None and run.retries:
        faults.append("did not react to a signal at once")
    faults += judge_clients(run, injected)
    if injected is None or "LocalSender" not in injected.functions:  # Then it was a message that was hit.
        faults += judge_messages(run.messages)
    if injected and not injected.is_silent and not is_told(run, injected):
        faults.append(f"nobody is told: neither {injected.text!r} nor a counter")
    return faults
