#!/usr/bin/env python3
"""All system calls that daemon/sys/syscalls.hpp declares are made in daemon/sys/syscalls.cpp alone.

The symbols that the libraries leave undefined show who makes a call."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

HEADER = Path(__file__).parents[1] / "daemon" / "sys" / "syscalls.hpp"
BUILD = Path(sys.argv.pop(1))


def calls() -> set[str]:
    return set(re.findall(r"^\w.*?(\w+)\(.*noexcept;$", HEADER.read_text(), re.MULTILINE))


def used_by(library: Path) -> set[str]:
    """The calls that a static library makes by itself."""
    listing = subprocess.run(["nm", "--undefined-only", library], capture_output=True, text=True, check=True).stdout
    return calls() & set(re.findall(r" U (\w+)", listing))


class OneSeam(unittest.TestCase):
    def test_no_other_library_makes_these_calls(self) -> None:
        libraries = [library for part in ("daemon", "client", "config") for library in (BUILD / part).rglob("*.a")]
        users = {library.name: used_by(library) for library in libraries}
        self.assertEqual(users.pop("libechod_syscalls.a"), calls())
        self.assertGreater(len(users), 3)
        self.assertEqual({name: made for name, made in users.items() if made}, {})


if __name__ == "__main__":
    unittest.main()
