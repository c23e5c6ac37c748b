"""Reads the counts of echod-faults (fault_layer.hpp), and finds the source lines of its addresses."""

import re
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

DEPTH = 4
PATHS = 2048
HEADER = struct.Struct("=29Q16s")
PATH = struct.Struct(f"={DEPTH + 2}Q")
CALL = re.compile(r"\tcall +[0-9a-f]+ <echod::sys::calls::(\w+)\([^{]*\)>$")  # Calls of a lambda inside do not match.
ADDRESS = re.compile(r" *([0-9a-f]+):\t")


def numbered(file: Path, program: int) -> Path:
    return file.with_name(f"{file.name}.{program}")


@dataclass(frozen=True)
class Record:
    """The counts of one program. `paths`: the number of calls by path; a path is a tuple of return addresses."""

    calls: int = 0
    allocations: int = 0
    faults: int = 0
    peer_port: int = 0
    allocated_by: tuple[int, ...] = ()  # Return addresses of the last allocation that failed.
    thread: str = ""  # The name of the thread that it was in.
    paths: dict[tuple[int, ...], int] = field(default_factory=dict)
    hashes: dict[tuple[int, ...], int] = field(default_factory=dict)

    @classmethod
    def read_all(cls, file: Path) -> "list[Record]":
        """The records of all programs of a run, in their order. See ECHOD_FAULTS in fault_layer.hpp."""
        records = []
        while (one := numbered(file, len(records) + 1)).exists():
            records.append(cls.read(one))
        return records

    @classmethod
    def total(cls, records: "list[Record]") -> "Record":
        """Adds them up. The fault is in one of them."""
        hit = next((record for record in records if record.faults), cls())
        paths: Counter[tuple[int, ...]] = Counter()
        for record in records:
            paths.update(record.paths)
        return replace(hit, calls=sum(record.calls for record in records),
                       allocations=sum(record.allocations for record in records), paths=dict(paths),
                       hashes={path: value for record in records for path, value in record.hashes.items()})

    @classmethod
    def read(cls, file: Path) -> "Record":
        data = file.read_bytes() if file.exists() else b""
        if len(data) < HEADER.size + PATHS * PATH.size:
            return cls()
        calls, allocations, faults, port, lost, *places, thread = HEADER.unpack_from(data)
        if lost:
            raise ValueError("too many paths for the table in fault_layer.hpp")
        paths, hashes = {}, {}
        for number in range(PATHS):
            hashed, *returns, count = PATH.unpack_from(data, HEADER.size + number * PATH.size)
            if hashed:
                paths[tuple(returns)] = count
                hashes[tuple(returns)] = hashed
        return cls(calls, allocations, faults, port, tuple(filter(None, places)),
                   thread.rstrip(b"\0").decode(), paths, hashes)


@dataclass(frozen=True)
class Place:
    """The source of an address: the innermost function, inlined or not, and its line."""

    function: str
    line: str  # "file.cpp:12"


class Binary:
    """The system calls in the machine code of an executable."""

    def __init__(self, file: Path):
        self.file = file
        self._places: dict[int, Place] = {}

    @cached_property
    def sites(self) -> dict[int, str]:
        """The name of each system call, by its return address."""
        sites: dict[int, str] = {}
        command = ["objdump", "-d", "-C", "--no-show-raw-insn", "-j", ".text", str(self.file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            call = ""
            for line in process.stdout:
                if call and (address := ADDRESS.match(line)):
                    sites[int(address[1], 16)] = call
                    call = ""
                if "echod::sys::calls::" in line:
                    if " jmp" in line and "+0x" not in line:
                        raise ValueError(f"a tail call hides its caller: {line}")
                    if found := CALL.search(line.rstrip()):
                        call = found[1]
        return sites

    def learn(self, addresses: set[int]) -> None:
        """Looks up the places of these addresses with one addr2line(1)."""
        unknown = sorted(addresses - self._places.keys())
        if not unknown:
            return
        # The call is just before its return address.
        text = "".join(f"{address - 1:#x}\n" for address in unknown)
        lines = subprocess.run(["addr2line", "-f", "-C", "-e", str(self.file)], input=text, check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for address, function, line in zip(unknown, lines[::2], lines[1::2], strict=True):
            self._places[address] = Place(function, line.rpartition("/")[2].partition(" ")[0])

    def place(self, address: int) -> Place:
        self.learn({address})
        return self._places[address]

    def name(self, path: tuple[int, ...]) -> str:
        """The name of a path, such as "recv stream_socket.cpp:33 connection.cpp:131"."""
        called = [address for address in path if address]
        self.learn({*called})
        return " ".join([self.sites.get(path[0], "?")] + [self.place(address).line for address in called])

    def functions(self, path: tuple[int, ...]) -> str:
        """Returns the functions of a path, the innermost first."""
        called = [address for address in path if address]
        self.learn({*called})  # All at once: addr2line reads the whole executable each time.
        return " < ".join(self.place(address).function for address in called)
