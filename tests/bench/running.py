"""Makes one run: starts a server, measures it with a client, and ends it."""

import contextlib
import dataclasses
import json
import pathlib
import re
import socket
import subprocess
import time

import networks
import processes

WARMUP_S = 0.2
WARMUP_S_OF_CONNECTION = 0.00003  # For each connection; longer than its first message takes.
MANY_CONNECTIONS = 10_000  # From this number on, a run measures twice as long: each connection has few turns.
START_PATIENCE_S = 15
END_PATIENCE_S = 60  # How much longer than its duration a client may take.
CANNOT_RUN_HERE = 77
LISTENING, UNCONNECTED = "0A", "07"  # The states of a socket in /proc/PID/net/tcp and udp (proc_pid_net(5)).
PINGS_PER_S = 500
MIB = 2**20


class Failure(Exception):
    """The reason why a run has no figures."""


class CannotRun(Exception):
    """A server is not installed, or this machine does not allow it."""


@dataclasses.dataclass(frozen=True)
class Tools:
    build: pathlib.Path
    work: pathlib.Path  # A directory for temporary files.
    seconds: float
    networks: dict = dataclasses.field(default_factory=lambda: {"loopback": networks.LOOPBACK})  # By name.

    @property
    def echoload(self):
        return f"{self.build}/client/echoload"

    @property
    def ping(self):
        return f"{self.build}/tests/bench/ping"


@dataclasses.dataclass(frozen=True)
class Running:
    pid: int
    port: int  # 0: it has none.
    forks: bool
    bytes_at_start: int
    stderr: pathlib.Path
    target: str  # As echoload takes it.
    client: tuple  # A command prefix for clients.


def warmup_s(scenario):
    active = scenario.connections if scenario.kind == "echo" else 0
    return round(WARMUP_S + WARMUP_S_OF_CONNECTION * active, 2)


def measured_s(scenario, seconds):
    return 2 * seconds if scenario.kind == "echo" and scenario.connections >= MANY_CONNECTIONS else seconds


def free_port(protocol):
    if protocol == "unix":
        return 0
    with socket.socket(type=socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(tools, server, connections, is_pinned=True, prefix=(), network=networks.LOOPBACK):
    """Starts a server and waits until it listens; ends it at the end."""
    port = free_port(server.protocol)
    config = tools.work / "server.toml"
    path = tools.work / "echo.sock"
    path.unlink(missing_ok=True)  # That of the server before.
    config.write_text(server.config.format(host=network.address, port=port, path=path))
    places = {"host": network.address, "port": port, "path": path, "connections": connections, "config": config}
    words = [word.format(**places) for word in server.command]
    pin = processes.pinned(processes.SERVER_CPU) if is_pinned else []
    target = target_of(server.protocol, network.address, port, path)
    stderr = tools.work / "server.stderr"
    try:
        with stderr.open("w") as errors:
            with processes.child([*pin, *network.server, *prefix, *words], stdout=errors, stderr=errors) as process:
                wait_until_it_listens(process, lambda: listens(process.pid, target), stderr)
                memory = processes.resident_bytes(process.pid, server.forks)
                yield Running(process.pid, port, server.forks, memory, stderr, target, network.client)
    except FileNotFoundError as error:
        raise CannotRun(f"{error.filename} does not exist") from error


def target_of(protocol, host, port, path):
    return {"tcp": f"{host}:{port}", "udp": f"udp://{host}:{port}", "unix": f"unix:{path}"}[protocol]


def wait_until_it_listens(process, listens, stderr):
    deadline = time.monotonic() + START_PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if listens():
            return
        time.sleep(0.01)
    said = last_line(stderr.read_text()) or "it does not listen"
    # taskset exits with 127 if the program does not exist.
    if process.poll() in (CANNOT_RUN_HERE, 127):
        raise CannotRun(said)
    raise Failure(f"does not start: {said}")


def listens(pid, target):
    """Returns whether a server listens at a target of echoload, in the network namespace of the process `pid`."""
    if target.startswith("unix:"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(target.removeprefix("unix:"))
            return True
        return False
    protocol, state = ("udp", UNCONNECTED) if target.startswith("udp:") else ("tcp", LISTENING)
    port = int(target.rpartition(":")[2])
    with contextlib.suppress(OSError):
        sockets = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]]
        return any(fields[1].endswith(f":{port:04X}") and fields[3] == state for fields in sockets)
    return False


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


def run(tools, server, scenario):
    """Makes one run and returns its figures. Raises Failure."""
    network = tools.networks[scenario.network]
    with serving(tools, server, scenario.connections, scenario.is_pinned, network=network) as running:
        if scenario.client == "ping":
            figures = run_ping(tools, running, scenario)
        elif scenario.client == "floods":
            figures = run_floods(tools, running, scenario)
        else:
            figures = run_echoload(tools, running, scenario)
        if server.kind == "floor":
            figures["empty_share"] = empty_share(running, scenario.connections)
    return {key: float(f"{value:.5g}") for key, value in figures.items() if value is not None}


def echoload_words(tools, running, scenario, *more):
    pin = processes.pinned(processes.CLIENT_CPU) if scenario.is_pinned else []
    words = [tools.echoload, "--json", "-", "--server-pid", str(running.pid), "--warmup", f"{warmup_s(scenario)}s"]
    return [*pin, *running.client, *words, *(str(word) for word in more), running.target]


def run_echoload(tools, running, scenario):
    seconds = measured_s(scenario, tools.seconds)
    load = ("--connections", scenario.connections, "--duration", f"{seconds}s", *scenario.arguments)
    words = echoload_words(tools, running, scenario, *load)
    usage = watched(running, seconds) if running.forks else None
    result = echoload_result(words, seconds, usage)
    figures = echoload_figures(result, scenario.unit)
    end = result["server"]["resident_bytes"]
    if usage:
        figures.update(usage.figures(units_of(result, scenario.unit) / result["measured_s"]))
        end = usage.resident_bytes
    figures["bytes_per_connection"] = max(0, end - running.bytes_at_start) / scenario.connections
    return figures


def watched(running, seconds):
    return processes.TreeUsage(running.pid, running.forks, WARMUP_S, seconds)


def echoload_result(words, seconds, usage=None):
    with processes.child(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if usage:
            usage.watch()
        return echoload_output(process, seconds)


def echoload_output(process, seconds):
    output, errors = finished(process, seconds)
    result = None
    with contextlib.suppress(ValueError):
        result = json.loads(output)
    if not result:
        raise Failure(last_line(errors) or f"echoload ended with {process.returncode}")
    if not result["passed"]:
        raise Failure("; ".join(result["failures"] + result["errors"]["details"][:1]) or "echoload did not pass")
    if not result["echoes"]:
        raise Failure("no echo came while it was measured")
    return result


def finished(process, seconds):
    try:
        return process.communicate(timeout=seconds + END_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise Failure("the client does not end") from error


def echoload_figures(result, unit):
    latency = result["latency_us"] or {}
    server = result["server"]
    if not server:
        raise Failure("the server has ended")
    server_s = server["user_s"] + server["system_s"]
    units = units_of(result, unit)
    return {
        "rate": result["echoes_per_s"],
        "mb_per_s": result["received_mb_per_s"],
        "cpu_us": server_s * 1e6 / units,
        "user_share": server["user_s"] / server_s if server_s else None,
        "client_us": result["client"]["cpu_s"] * 1e6 / units,
        "client_share": max(result["client"]["thread_shares"], default=None),
        "p50": latency.get("p50"),
        "p99": latency.get("p99"),
        "p999": latency.get("p99.9"),
        "max": latency.get("max"),
        "loss_percent": (result["datagrams"] or {}).get("loss_percent"),
    }


def units_of(result, unit):
    return result["echoes"] if unit == "echo" else result["bytes_received"] / MIB


def run_ping(tools, running, scenario):
    milliseconds = [str(round(seconds * 1000)) for seconds in (WARMUP_S, tools.seconds)]
    words = [tools.ping, *scenario.arguments, str(running.port), *milliseconds]
    usage = watched(running, tools.seconds)
    words = [*processes.pinned(processes.CLIENT_CPU), *words]
    with processes.child(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        usage.watch()
        output, errors = finished(process, tools.seconds)
        if process.returncode != 0:
            raise Failure(last_line(errors) or f"ping ended with {process.returncode}")
    figures = json.loads(output)
    del figures["pings"]
    return {**figures, **usage.figures(figures["rate"])}


def run_floods(tools, running, scenario):
    """Streams in both directions, and a ping at a fixed rate from another process.

    The two clients share a CPU. That of the floods has the lowest priority (SCHED_IDLE), so that the ping waits for the
    server and not for the floods' client.
    """
    flood_s = tools.seconds + 2 * WARMUP_S
    streams = ("--mode", "stream", "--connections", scenario.connections - 1, "--duration", f"{flood_s}s")
    pings = ("--connections", 1, "--rate", PINGS_PER_S, "--duration", f"{tools.seconds}s")
    flood = ["chrt", "--idle", "0", *echoload_words(tools, running, scenario, *streams)]
    ping = echoload_words(tools, running, scenario, *pings)
    usage = watched(running, tools.seconds) if running.forks else None
    with processes.child(flood, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2 * WARMUP_S)
        pinged = echoload_result(ping, tools.seconds, usage)
        flooded = echoload_output(process, flood_s)
    figures = echoload_figures(flooded, scenario.unit)
    if usage:
        figures.update(usage.figures(units_of(flooded, scenario.unit) / flooded["measured_s"]))
    latency = pinged["latency_us"]
    figures.update(rate=None, p50=latency["p50"], p99=latency["p99"], p999=latency["p99.9"], max=latency["max"])
    figures["lag_p99"] = (pinged["send_lag_us"] or {}).get("p99")
    return figures


def empty_share(running, connections):
    """Returns the share of the floor's calls that found nothing, without those at the begin and the end of a run."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        counts = re.findall(r"floor: (\d+) echoes, (\d+) empty", running.stderr.read_text())
        echoes, empty = (sum(int(count[index]) for count in counts) for index in (0, 1))
        if echoes:
            return max(0, empty - 2 * connections) / echoes
        time.sleep(0.02)  # The floor prints its counts when all its connections have closed.
    return None
