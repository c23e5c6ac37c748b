"""Holds very many connections to one echod, in a virtual machine or here, and reports what they cost.

measure.sh does it and prints raw figures of the kernel; this prepares the virtual machine, reads the
figures and makes the report. The client is on the same kernel as the server, so the kernel's memory
is that of both ends.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent
PUBLISHED = SOURCE / "docs/performance"

# What a connection, both ends of it, takes of the guest's memory at most, and the guest itself.
BYTES_PER_CONNECTION = 14 << 10
BYTES_OF_GUEST = 640 << 20


class Failure(Exception):
    """What the user is told, in one line."""


@dataclasses.dataclass
class Run:
    """What measure.sh printed."""

    samples: dict = dataclasses.field(default_factory=dict)  # Name to source to lines.
    result: str = ""  # JSON of echoload.
    problems: list = dataclasses.field(default_factory=list)
    kernel: str = os.uname().release
    accelerator: str = ""  # Of the virtual machine; "": there was none.
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


# Running it.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sources(connections, ports):
    """Addresses to connect from. Of its ports the kernel tries those of one parity first, and looks
    at all of them, for every connection, when they are taken: so only half of them are counted on.
    """
    count = math.ceil(connections / ((ports[1] - ports[0]) * 0.48))
    return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


def parameters(options, ports, port):
    """The environment of measure.sh."""
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
    """Reads what measure.sh prints to its end, shows how far it is, and keeps all of it."""
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
                print(f"{passed}  {number(int(count)):>10} connections", file=sys.stderr, flush=True)
    process.wait()
    return run


def run_here(options):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and options.connections > hard - 64:
        raise Failure(f"the hard limit of ulimit -n is {hard}: --connections {hard - 64} at most")
    ports = tuple(int(word) for word in pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    work = options.output / "work"
    work.mkdir(exist_ok=True)
    for old in work.iterdir():
        old.unlink()
    environment = {key: str(value).strip('"') for key, value in parameters(options, ports, free_port()).items()}
    environment |= {
        "ECHOD": str(options.build / "daemon/echod"),
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


def follow_to_the_end(process, options):
    """Leaves nothing running, however it ends."""
    try:
        return follow(process, options)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def libraries(program):
    """Files that the dynamic linker loads for it, and the linker itself."""
    lines = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout.splitlines()
    return {word for line in lines for word in line.split() if word.startswith("/")}


def initramfs(options):
    """The guest's file system: busybox, echod, echoload, what they load, and the scripts."""
    root = options.output / "root"
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("bin", "dev", "proc", "sys", "tmp"):
        (root / directory).mkdir(parents=True)
    programs = {"echod": options.build / "daemon/echod", "echoload": options.build / "client/echoload"}
    files = {f"bin/{name}": path for name, path in programs.items()}
    files |= {library[1:]: library for program in programs.values() for library in libraries(program)}
    files |= {"bin/busybox": shutil.which("busybox"), "init": HERE / "guest-init.sh"}
    files |= {"measure.sh": HERE / "measure.sh", "echod.toml": HERE / "echod.toml"}
    for name, path in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / name)  # Follows symbolic links.
    (root / "init").chmod(0o755)
    # A CPU for each: to change from one address space to another is what costs an emulation most.
    pins = ("taskset 1 ", "taskset 2 ") if options.cpus > 1 else ("", "")
    environment = {"ECHOD": f'"{pins[0]}/bin/echod"', "ECHOLOAD": f'"{pins[1]}/bin/echoload"'}
    environment |= {"CONFIG": "/echod.toml", "WORK": "/tmp"}
    environment |= parameters(options, (10000, 65535), 2003)
    (root / "parameters").write_text("".join(f"export {key}={value}\n" for key, value in environment.items()))
    names = "\n".join(["."] + sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    image = options.output / "initramfs"
    with open(image, "wb") as out:
        command = ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet"]
        subprocess.run(command, cwd=root, input=names.encode(), stdout=out, check=True)
    return image


def memory_for(options):
    """GiB of the guest. Checks that there is as much here as it will take."""
    needed = options.connections * BYTES_PER_CONNECTION + BYTES_OF_GUEST
    memory = options.memory or math.ceil(needed / (1 << 30))
    if memory << 30 < needed:
        raise Failure(
            f"{number(options.connections)} connections need some {gib(needed)} of memory: "
            f"--memory {memory} is too small"
        )
    available = sum(kib("/proc/meminfo", name) for name in ("MemAvailable", "SwapFree")) << 10
    if available < needed:
        most = max(0, (available - BYTES_OF_GUEST) // BYTES_PER_CONNECTION // 1000 * 1000)
        raise Failure(
            f"{number(options.connections)} connections need some {gib(needed)} of memory, "
            f"{gib(available)} are available: --connections {most} would fit"
        )
    return memory


def kib(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def accelerator():
    """What runs the guest's instructions: the processor, if it really does, or an emulation."""
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-S", "-nodefaults", "-display", "none"]
    probe += ["-monitor", "stdio"]
    try:
        ended = subprocess.run(probe, input="quit\n", capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "tcg"
    return "kvm" if ended.returncode == 0 else "tcg"


def run_in_machine(options):
    for program in ("qemu-system-x86_64", "busybox", "cpio"):
        if shutil.which(program) is None:
            raise Failure(f"{program} is missing: scripts/install-packages million; or run it with --here")
    if not options.kernel or not options.kernel.exists():
        raise Failure(f"no kernel to boot: {options.kernel}")
    memory = memory_for(options)
    # Room in the hash table of sockets, caches of the kernel by their own names, and none of the
    # guards that cost most when every instruction is emulated.
    buckets = 1 << max(16, (2 * options.connections).bit_length())
    kernel_options = f"console=ttyS0 quiet panic=-1 thash_entries={buckets} slab_nomerge"
    kernel_options += " mitigations=off init_on_alloc=0 tsc=reliable"
    options.accelerator = options.accelerator or accelerator()
    # Emulated, a compare-and-exchange of 16 bytes, which the kernel's allocator likes, may stop all
    # CPUs, and larger registers make every change of task longer.
    command = ["qemu-system-x86_64", "-cpu", "host" if options.accelerator == "kvm" else "qemu64,-cx16"]
    command += ["-accel", "tcg,thread=multi" if options.accelerator == "tcg" else "kvm"]
    command += ["-smp", str(options.cpus), "-m", f"{memory}G", "-nodefaults", "-no-user-config", "-no-reboot"]
    command += ["-display", "none", "-kernel", str(options.kernel), "-initrd", str(initramfs(options))]
    command += ["-append", kernel_options, "-serial", f"file:{options.output / 'console.txt'}", "-serial", "stdio"]
    print(f"booting a virtual machine: {options.accelerator}, {options.cpus} CPUs, {memory} GiB", file=sys.stderr)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    run = follow_to_the_end(process, options)
    if not run.codes:
        raise Failure(f"the virtual machine ended early: {last_words(options.output / 'console.txt')}")
    return run


def last_words(console):
    lines = console.read_text(errors="replace").splitlines()
    telling = [line for line in lines if "Kernel panic" in line or "Out of memory" in line] or lines[-1:]
    return f"{telling[0].strip()} ({console})" if telling else f"its console is empty ({console})"


# What the samples say.


class Sample:
    def __init__(self, run, name):
        self.sources = run.samples.get(name, {})

    def value(self, source, name):
        """Of a line "name: 123 kB" or "name 123"; None if it is not there."""
        for line in self.sources.get(source, ()):
            words = line.replace(":", " ").split()
            if words and words[0] == name:
                return int(words[1])
        return None

    def bytes_of(self, source, *names):
        """The sum of values in kB."""
        values = [self.value(source, name) for name in names]
        return None if None in values else sum(values) << 10

    @property
    def uptime(self):
        return float(self.sources["uptime"][0].split()[0])

    def cpu_s(self, process):
        """CPU time of a process, of all its threads."""
        lines = self.sources.get(f"{process}/schedstat")
        return sum(int(line.split()[0]) for line in lines) / 1e9 if lines else None

    def kernel_bytes(self):
        """All memory that is neither free, nor a process's, nor cache of files."""
        used = self.bytes_of("meminfo", "MemTotal") - self.bytes_of("meminfo", "MemFree", "Buffers", "Cached")
        return used - self.bytes_of("meminfo", "AnonPages")

    def slab_bytes(self):
        return self.bytes_of("meminfo", "Slab")

    def slabs(self):
        """Cache to bytes in all its slabs; empty where only root may read it."""
        caches = {}
        for line in self.sources.get("slabinfo", ())[2:]:
            words = line.split()
            # name active_objs num_objs objsize objperslab pagesperslab : ... : slabdata active num shared
            caches[words[0]] = int(words[14]) * int(words[5]) * resource.getpagesize()
        return caches

    def tcp(self, name):
        """A counter of the TCP line of /proc/net/snmp."""
        lines = [line.split()[1:] for line in self.sources.get("net/snmp", ()) if line.startswith("Tcp:")]
        return int(lines[1][lines[0].index(name)]) if len(lines) == 2 else None

    def socket_buffer_bytes(self):
        """Pages that TCP has for data."""
        for line in self.sources.get("net/sockstat", ()):
            words = line.split()
            if words[0] == "TCP:":
                return int(words[words.index("mem") + 1]) * resource.getpagesize()
        return None


def per(value, connections):
    return None if value is None else value / connections


def difference(after, before):
    return None if after is None or before is None else after - before


def echod_memory(start, connected, echoed, closed, count):
    """Anonymous memory is what echod has for itself: not its code, nor libraries."""
    source = "echod/smaps_rollup"
    moments = {"before": start, "connected": connected, "echoed": echoed, "closed": closed}

    def grown(name):
        return per(difference(echoed.bytes_of(source, name), start.bytes_of(source, name)), count)

    return {
        "anonymous_bytes": {name: sample.bytes_of(source, "Anonymous") for name, sample in moments.items()},
        "resident_bytes": {name: sample.bytes_of(source, "Rss") for name, sample in moments.items()},
        "anonymous_per_connection": grown("Anonymous"),
        "resident_per_connection": grown("Rss"),
    }


def kernel_memory(run, start, echoed, count):
    """Of both ends of the connections together."""

    def grown(read):
        return per(difference(read(echoed), read(start)), count)

    before = start.slabs()
    slabs = {name: (size - before.get(name, 0)) / count for name, size in echoed.slabs().items()}
    return {
        # Of a machine that does other things too it would mean nothing.
        "bytes_per_connection": grown(Sample.kernel_bytes) if run.accelerator else None,
        "slab_per_connection": grown(Sample.slab_bytes),
        "socket_buffers_per_connection": grown(Sample.socket_buffer_bytes),
        "page_tables_per_connection": grown(lambda sample: sample.bytes_of("meminfo", "PageTables")),
        "slabs": dict(sorted(((n, b) for n, b in slabs.items() if b >= 4), key=lambda pair: -pair[1])),
    }


def idle_cost(begin, end):
    seconds = end.uptime - begin.uptime
    cpu = difference(end.cpu_s("echod"), begin.cpu_s("echod"))
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "cpu_share": per(cpu, seconds),
        "segments": difference(end.tcp("InSegs"), begin.tcp("InSegs")),
    }


def figures(run):
    """Everything that the report shows."""
    result = json.loads(run.result)
    start, connected, begin, end, closed = (
        Sample(run, name) for name in ("start", "connected", "idle-begin", "idle-end", "closed")
    )
    count = max(1, result["connected"])
    return {
        "kind": "million",
        "time": result["time"],
        "version": result["echoload"],
        "environment": {
            "virtual_machine": bool(run.accelerator),
            "accelerator": run.accelerator or None,
            "kernel": run.kernel,
            "cpus": result["environment"]["cpus"],
            "memory_bytes": start.bytes_of("meminfo", "MemTotal"),
        },
        "parameters": {
            "connections": result["parameters"]["connections"],
            "rate_per_s": result["parameters"]["rate_per_s"],
        },
        "connections": {
            "connected": result["connected"],
            "connecting_s": result["connecting_s"],
            "per_s": result["connected"] / result["connecting_s"],
        },
        "echoes": {
            "messages": result["echoes"],
            "bytes_received": result["bytes_received"],
            "errors": result["errors"]["total"],
            "mismatches": result["errors"]["mismatches"],
            "latency_us": result["latency_us"],
            "passed": result["passed"],
        },
        "echod": {**echod_memory(start, connected, end, closed, count), "exit_code": run.codes[1]},
        "idle": idle_cost(begin, end),
        "kernel_both_ends": kernel_memory(run, start, end, count),
        "problems": run.problems,
    }


def complaints(report):
    """Why the run does not show what it is for."""
    echoes, connections = report["echoes"], report["connections"]
    wanted = report["parameters"]["connections"]
    if connections["connected"] != wanted:
        yield f"{number(connections['connected'])} connections of {number(wanted)}"
    if echoes["messages"] != wanted or not echoes["passed"] or echoes["errors"]:
        yield f"{number(echoes['messages'])} echoes of {number(wanted)}, {number(echoes['errors'])} errors"
    segments = report["idle"]["segments"]
    if report["environment"]["virtual_machine"] and segments > wanted / 1000:
        yield f"{number(segments)} segments arrived while all were to be idle: give a lower --rate"
    if report["echod"]["exit_code"] != 0:
        yield f"echod ended with {report['echod']['exit_code']}"


# The report.


def number(value, decimals=0):
    return "-" if value is None else f"{value:,.{decimals}f}".replace(",", " ")


def gib(size):
    return f"{size / (1 << 30):.1f} GiB"


def mib(size):
    return "-" if size is None else f"{size / (1 << 20):,.1f} MiB".replace(",", " ")


def rows(report):
    connections, echoes, echod = report["connections"], report["echoes"], report["echod"]
    idle, kernel = report["idle"], report["kernel_both_ends"]
    latency = echoes["latency_us"]
    yield "connections", f"{number(connections['connected'])} of {number(report['parameters']['connections'])}"
    seconds = connections["connecting_s"]
    yield "time to connect all", f"{number(seconds, 1)} s, {number(connections['per_s'])} per second"
    echoed = f"{number(echoes['messages'])} echoes, {number(echoes['errors'])} errors"
    yield "each echoed once, every byte compared", echoed
    yield "latency of these echoes", f"p50 {latency['p50'] / 1e3:.2f} ms, p99 {latency['p99'] / 1e3:.2f} ms"
    own = echod["anonymous_bytes"]
    yield "**echod: bytes per connection**", f"**{number(echod['anonymous_per_connection'], 1)}** (anonymous memory)"
    yield "echod: memory in all", f"{mib(own['before'])} without connections, {mib(own['echoed'])} with all"
    if kernel["bytes_per_connection"] is not None:
        both = kernel["bytes_per_connection"]
        yield "**kernel: bytes per connection, at each end**", f"**{number(both / 2)}** ({number(both)} for both)"
    slab = kernel["slab_per_connection"]
    yield "of it slab", f"{number(slab / 2)} ({number(slab)} for both)"
    yield "of it data of sockets", f"{number(kernel['socket_buffers_per_connection'] / 2)}"
    yield "echod: CPU while all are idle", (
        f"{number(idle['cpu_share'] and idle['cpu_share'] * 100, 3)} % of one over {number(idle['seconds'])} s, "
        f"while {number(idle['segments'])} segments arrived"
    )


def markdown(report):
    environment = report["environment"]
    if environment["virtual_machine"]:
        place = (
            f"In a virtual machine ({environment['accelerator']}, Linux {environment['kernel']}, "
            f"{environment['cpus']} CPUs, {gib(environment['memory_bytes'])})"
        )
    else:
        place = f"On Linux {environment['kernel']}, {environment['cpus']} CPUs, without a virtual machine"
    text = [
        f"# {number(report['parameters']['connections'])} connections to one echod",
        "",
        f"{report['time']}, echod {report['version']}. {place}, repeated by `{report['command']}`.",
        "",
        "| figure | measured |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows(report)),
        "",
        "How it is measured: echoload makes the connections, then sends one message of 64 bytes on each, at a "
        "constant rate, and compares every byte that comes back; then nothing is sent for the time of the idle "
        "measurement; at the end each connection is half-closed and read to its end. Memory is that after the echoes "
        "less that before the first connection, so buffers that an echo would leave behind are in it.",
        "",
        "Client and server share the kernel, so its memory is that of two sockets for each connection. Halving it is "
        "right to a few percent: both ends have a socket, an inode, a file and an epoll registration, but only the "
        "client's has an entry in the table of local ports, and the server's, of a listener on `::`, is of the larger "
        "kind.",
        "",
    ]
    if environment["accelerator"] == "tcg":
        text += [
            "Every instruction is emulated here: bytes are those of a real machine, times are many times longer.",
            "",
        ]
    if not environment["virtual_machine"]:
        text += [
            "Slab and socket data are those of the whole machine, so whatever else ran on it is in them; kernel memory "
            "as a whole would mean nothing here and is not shown. The table of slabs needs root.",
            "",
        ]
    if report["kernel_both_ends"]["slabs"]:
        text += ["| slab cache | bytes per connection, both ends |", "|---|---|"]
        slabs = report["kernel_both_ends"]["slabs"].items()
        text += [f"| {name} | {number(size)} |" for name, size in slabs if size >= 20]
        text += [""]
    return "\n".join(text)


def publish(options, report):
    directory = PUBLISHED if options.publish else options.output
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "million.json").write_text(json.dumps(report, indent=1) + "\n")
    (directory / "million.md").write_text(markdown(report))
    width = max(len(name) for name, _ in rows(report))
    print()
    for name, value in rows(report):
        print(f"{name.replace('**', ''):{width}}  {value.replace('**', '')}")
    print(f"\n{directory / 'million.md'}")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench-million", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kernel", type=pathlib.Path, help="the kernel to boot (one for clouds, which is fetched)")
    parser.add_argument("--connections", type=int, help="how many (1 000 000; --here: 19 000 or what ulimit -n allows)")
    parser.add_argument("--here", action="store_true", help="without a virtual machine, within ulimit -n")
    parser.add_argument("--memory", type=int, metavar="GIB", help="of the virtual machine (what the connections need)")
    parser.add_argument("--accelerator", choices=("kvm", "tcg"), help="of the virtual machine (kvm where it works)")
    parser.add_argument("--cpus", type=int, default=2, help="of the virtual machine (2)")
    parser.add_argument("--rate", type=int, help="messages per second, one for each connection (2000; --here: 10 000)")
    parser.add_argument("--idle", type=int, default=60, metavar="SECONDS", help="how long nothing is sent (60)")
    parser.add_argument("--from", dest="raw", type=pathlib.Path, metavar="FILE", help="report on the raw.txt of a run")
    parser.add_argument("--output", type=pathlib.Path, default=SOURCE / "build/million-report")
    parser.add_argument("--publish", action="store_true", help="write the report to docs/performance")
    options = parser.parse_args(arguments)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most_here = min(19_000, hard - 64) if hard != resource.RLIM_INFINITY else 19_000
    options.connections = options.connections or (most_here if options.here else 1_000_000)
    options.accelerator = None if options.here else options.accelerator
    options.rate = options.rate or (10_000 if options.here else 2_000)
    if not 1 <= options.connections <= 9_000_000 or options.rate < 1 or options.idle < 1:
        parser.error("--connections is 1 to 9000000, --rate and --idle are at least 1")
    return options


def main():
    options = parse(sys.argv[1:])
    options.output.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    try:
        if options.raw:
            run = read(options.raw)
        else:
            run = run_here(options) if options.here else run_in_machine(options)
        for problem in run.problems:
            print(f"bench-million: {problem}", file=sys.stderr)
        if not run.result:
            raise Failure(f"no result; what was printed: {options.output / 'raw.txt'}")
        report = figures(run)
        report["command"] = f"scripts/bench-million --connections {report['parameters']['connections']}"
        report["command"] += "" if run.accelerator else " --here"
        report["took_s"] = time.monotonic() - begin
        publish(options, report)
        wrong = list(complaints(report))
        if wrong:
            raise Failure("; ".join(wrong))
    except (Failure, OSError) as failure:
        print(f"bench-million: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
