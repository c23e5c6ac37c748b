"""System calls that libraries make for the daemon: they do not pass daemon/sys, so strace(1) fails them."""

from dataclasses import dataclass
from pathlib import Path

from fault_table import Fault


@dataclass(frozen=True)
class Attempt:
    """The `nth` call of that name is not made, and reports the code of `fault`."""

    call: str
    fault: Fault
    nth: int
    functions: str = ""

    @property
    def name(self) -> str:
        return f"{self.call} {self.fault.code} {self.nth}"

    def command(self, echod: str, directory: Path) -> list[str]:
        """-D: the daemon stays our own child. A sanitizer cannot look for leaks under strace."""
        inject = f"inject={self.call}:error={self.fault.code}:when={self.nth}"
        return ["env", "ASAN_OPTIONS=detect_leaks=0:exitcode=99", "strace", "-D", "-f", "--seccomp-bpf", "-qq",
                "-o", str(directory / "strace"), "-e", f"trace={self.call}", "-e", inject, echod]

    @staticmethod
    def is_hit(directory: Path) -> bool:
        return "(INJECTED)" in (directory / "strace").read_text("utf-8", "replace")


def attempts(call: str, codes: str, nths: tuple[int, ...]) -> list[Attempt]:
    return [Attempt(call, Fault("fail", code), nth) for code in codes.split() for nth in nths]


ATTEMPTS = (
    attempts("clone3", "EAGAIN", (1, 2, 3))  # The threads: spdlog's, and a worker's each.
    + attempts("sendmsg", "ENOBUFS ECONNRESET EPIPE", (1, 3, 4, 5, 6))  # sd_notify(3), all its messages.
    + attempts("socket", "EMFILE ENFILE ENOMEM", (1, 3))  # sd_notify(3): the socket that was passed is ours already.
)
