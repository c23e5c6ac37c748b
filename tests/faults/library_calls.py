"""System calls that libraries make for the daemon. They bypass daemon/sys, so strace(1) makes them fail."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_table import Fault


@dataclass(frozen=True)
class Attempt:
    """The `nth` call of that name in a thread (on `file`, if given) is not made and fails with the code of `fault`."""

    call: str
    fault: Fault
    nth: int
    functions: str = ""
    file: str = ""
    scenario: str = "managed"
    is_lasting: bool = False  # It hits that call of each new thread.

    @property
    def name(self) -> str:
        return f"{self.call} {self.fault.code} {self.nth}"

    def command(self, echod: str, directory: Path) -> list[str]:
        """The command that runs echod under strace. -D keeps echod our child. LeakSanitizer cannot run under strace."""
        inject = f"inject={self.call}:error={self.fault.code}:when={self.nth}"
        only = ["-P", self.file] if self.file else []
        return ["env", "ASAN_OPTIONS=detect_leaks=0:exitcode=99", "strace", "-D", "-f", "--seccomp-bpf", "-qq",
                "-o", str(directory / "strace"), "-e", f"trace={self.call}", *only, "-e", inject, echod]

    @staticmethod
    def is_hit(directory: Path) -> bool:
        return "(INJECTED)" in (directory / "strace").read_text("utf-8", "replace")


def attempts(call: str, codes: str, nths: tuple[int, ...], **where: Any) -> list[Attempt]:
    return [Attempt(call, Fault("fail", code), nth, **where) for code in codes.split() for nth in nths]


ATTEMPTS = (
    attempts("clone3", "EAGAIN", (1, 2, 3, 4, 5))  # Creates two log threads, the admin thread and the two workers.
    # A library makes the first six calls of the process while it is loaded. The first call of a thread sets its name.
    + attempts("prctl", "EINVAL", (1, 7))
    + attempts("openat", "EMFILE ENOENT EACCES", (1,), functions="localtime", file="/etc/localtime")
    # Creates the threads that read the configuration and check the new program.
    + attempts("clone3", "EAGAIN", (6, 7), scenario="upgraded")
    # These are the first calls of the check's process, and of the thread that waits for it. Each upgrade has others, so
    # all upgrades fail.
    + attempts("execve", "ENOMEM EACCES", (1,), scenario="upgraded", is_lasting=True)
    + attempts("pidfd_open", "EMFILE ENOMEM", (1,), scenario="upgraded", is_lasting=True)
)
