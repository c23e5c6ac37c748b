"""Reads echod's log files, across rotations, and adds up its connections by the address of the peer."""

import re
from collections import Counter
from pathlib import Path

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - ([A-Z]+) - (.+)")
OPEN = re.compile(r"open peer=([\d.]+|unix):\S+ fd=\d+")
CLOSE = re.compile(r"close peer=([\d.]+|unix):\S+ fd=\d+ in=(\d+) out=(\d+) duration=[\d.]+s reason=(\w+).*")
NOISE = ("DEBUG", "INFO")
MOST_STRANGE = 20


class DaemonLog:
    """The log of one echod. `allowed`: texts that warnings and errors may contain. A rotated file is removed after it
    was read to its end.
    """

    def __init__(self, file: Path, allowed: tuple[str, ...]):
        self.file = file
        self.allowed = allowed
        self.opened: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], str] = {}  # The first line of each reason.
        self.bytes_in: Counter[str] = Counter()
        self.bytes_out: Counter[str] = Counter()
        self.lines = 0
        self.complaints: Counter[str] = Counter()  # Allowed warnings and errors, by the text of `allowed`.
        self.strange: list[str] = []  # Lines that must not be in the log.
        self.rotations = 0
        self._at = 0
        self._rest = b""

    def read(self, file: Path | None = None) -> None:
        """Reads the lines that have come since the last call."""
        with (file or self.file).open("rb") as log:
            log.seek(self._at)
            data = self._rest + log.read()
            self._at = log.tell()
        lines = data.split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self.take(line.decode("utf-8", "replace"))

    def take(self, text: str) -> None:
        self.lines += 1
        line = LINE.fullmatch(text)
        if line is None:
            self.keep_strange(text)
        elif found := OPEN.fullmatch(line[2]):
            self.opened[found[1]] += 1
        elif found := CLOSE.fullmatch(line[2]):
            self.closed[found[1]] += 1
            self.bytes_in[found[1]] += int(found[2])
            self.bytes_out[found[1]] += int(found[3])
            self.reasons[found[1], found[4]] += 1
            self.examples.setdefault((found[1], found[4]), text)
        elif line[1] not in NOISE:
            known = [words for words in self.allowed if words in line[2]]
            if known:
                self.complaints[known[0]] += 1
            else:
                self.keep_strange(text)

    def keep_strange(self, text: str) -> None:
        if len(self.strange) < MOST_STRANGE:
            self.strange.append(text[:300])

    def rename(self) -> Path:
        """The first half of a rotation: renames the file and returns its new name. echod still writes to it."""
        self.rotations += 1
        old = self.file.with_name(f"{self.file.name}.{self.rotations}")
        self.file.rename(old)
        return old

    def finish(self, old: Path) -> None:
        """The second half of a rotation, when echod writes to a new file: reads the old file to its end."""
        self.read(old)
        if self._rest:
            self.keep_strange(f"incomplete line at the end of a rotated file: {self._rest.decode('utf-8', 'replace')}")
        self._at, self._rest = 0, b""
        old.unlink()
