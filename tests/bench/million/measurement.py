"""Runs measure.sh on this machine, and reads its output, also that of a virtual machine."""

import dataclasses
import itertools
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys

from formatting import whole
from running import free_port
from scenarios import SPARE_DESCRIPTORS

HERE = pathlib.Path(__file__).resolve().parent


class Failure(Exception):
    """An error that is reported to the user in one line."""


@dataclasses.dataclass
class Run:
    """The output of measure.sh."""

    samples: dict = dataclasses.field(default_factory=dict)  # Lines by source by name of the sample.
    result: str = ""  # The JSON of echoload.
    problems: list = dataclasses.field(default_factory=list)
    kernel: str = os.uname().release
    accelerator: str = ""  # That of the virtual machine; "" without one.
    codes: tuple = ()  # Exit codes of echoload and echod.

    def take(self, line):
        word, _, rest = line.partition(" ")
        if word == "sample":
            name, source, text = (rest.split(" ", 2) + [""])[:3]
            self.samples.setdefault(name, {}).setdefault(source, []).append(text)
        elif word == "result":
            self.result += rest + "\n"
        elif word == "problem":
            self.problems.append(rest)
        elif word == "kernel":
            self.kernel = rest
        elif word == "accelerator":
            self.accelerator = rest
        elif word == "end":
            self.codes = tuple(int(code) for code in rest.split())


def read(path):
    run = Run()
    for line in path.read_text(encoding="utf-8").splitlines():
        run.take(line)
    return run


def sources(connections, ports):
    """Returns the addresses to connect from. Only half of the ports of each are used: the kernel first tries the ports
    of one parity, and when these are taken, it scans all of them for every connection.
    """
    count = math.ceil(connections / ((ports[1] - ports[0]) * 0.48))
    return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


def parameters(options, ports, port):
    """Returns the environment for measure.sh."""
    return {
        "PORT": port,
        "CONNECTIONS": options.connections,
        "RATE": options.rate,
        "IDLE_S": options.idle,
        "SETTLE_S": 1 if options.here else 15,
        "TIMEOUT_S": 60 if options.here else 1800,
        "TICK_S": 0.5 if options.here else 5,
        "PORTS": f'"{ports[0]} {ports[1]}"',
        "SOURCES": '"' + " ".join(sources(options.connections, ports)) + '"',
    }


def follow(process, options):
    """Reads the output of measure.sh to its end, shows the progress, and stores the output in raw.txt."""
    run = Run()
    begin = None
    with open(options.output / "raw.txt", "w", encoding="utf-8") as raw:
        for line in itertools.chain([f"accelerator {options.accelerator or ''}"], process.stdout):
            line = line.rstrip("\r\n")
            raw.write(line + "\n")
            raw.flush()
            run.take(line)
            if line.startswith("progress "):
                seconds, count = (line.split()[1:] + ["0"])[:2]
                begin = begin or float(seconds)
                passed = f"{float(seconds) - begin:7.0f} s"
                print(f"{passed}  {whole(int(count)):>10} connections", file=sys.stderr, flush=True)
    process.wait()
    return run


def follow_to_the_end(process, options):
    """As follow(), and ends the process in any case."""
    try:
        return follow(process, options)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def run_here(options):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and options.connections > hard - SPARE_DESCRIPTORS:
        raise Failure(f"the hard limit of ulimit -n is {hard}: --connections {hard - SPARE_DESCRIPTORS} at most")
    ports = tuple(int(word) for word in pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    work = options.output / "work"
    work.mkdir(exist_ok=True)
    for old in work.iterdir():
        old.unlink()
    environment = {key: str(value).strip('"') for key, value in parameters(options, ports, free_port()).items()}
    environment |= {
        # Not reachable from the network. (The virtual machine has no network.)
        "ECHOD": f"{options.build / 'daemon/echod'} --address 127.0.0.1",
        "ECHOLOAD": str(options.build / "client/echoload"),
        "CONFIG": str(HERE / "echod.toml"),
        "WORK": str(work),
    }
    process = subprocess.Popen(
        ["sh", str(HERE / "measure.sh")],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return follow_to_the_end(process, options)
