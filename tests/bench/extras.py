"""Measurements outside of the rounds: system calls for an echo, and latency curves."""

import os
import signal
import time

import processes
import running

# The scenarios in which system calls are counted.
TRACED = (
    "64 connections, 64 bytes",
    "64 connections, 64 bytes, depth 16",
    "8 connections, 256 KiB",
    "connect, echo, close",
    "udp: 64 clients, 64 bytes",
    "udp: 16 clients, trains of 32 x 1200 bytes",
)
TRACED_QUICKLY = TRACED[:1]
SHORT_S, LONG_S = 0.2, 0.8
FEWEST_CALLS = 0.0005  # Smaller values are remains of the difference of two runs.

CURVE = "64 connections, 64 bytes"
SHARES = (0.1, 0.25, 0.5, 0.75)


def system_calls(tools, server, scenario):
    """Returns the system calls for an echo, by name, counted by strace.

    It takes the difference of two runs of different length, so the calls at start, connect and end cancel out.
    """
    (short_calls, short_echoes), (long_calls, long_echoes) = (
        traced(tools, server, scenario, seconds) for seconds in (SHORT_S, LONG_S)
    )
    echoes = long_echoes - short_echoes
    if echoes <= 0:
        raise running.Failure("too slow under strace")
    differences = {name: (calls - short_calls.get(name, 0)) / echoes for name, calls in long_calls.items()}
    return {name: round(calls, 4) for name, calls in differences.items() if calls >= FEWEST_CALLS}


def traced(tools, server, scenario, seconds):
    """Runs a server under strace from its start to its end. Returns its calls by name, and its echoes."""
    table = tools.work / "strace.txt"
    strace = ("strace", "-f", "-c", "-U", "calls,name", "-o", str(table))
    with running.serving(tools, server, scenario.connections, prefix=strace) as process:
        words = [tools.echoload, "--json", "-", "--warmup", "0", "--duration", f"{seconds}s"]
        words += ["--connections", str(scenario.connections), *scenario.arguments, process.target]
        result = running.echoload_result([*processes.pinned(processes.CLIENT_CPU), *words], seconds)
        # Ends the server. strace is in the same group, but blocks the signal until it has written its table.
        os.killpg(process.pid, signal.SIGTERM)
        wait_for_end(process.pid)
    return calls_of(table.read_text()), result["echoes"]


def wait_for_end(pid):
    """Waits for the end of a process, but leaves its exit status for the code that started it."""
    for _ in range(500):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.01)
    raise running.Failure("does not end")


def calls_of(table):
    """Parses the output of strace -c -U calls,name."""
    calls = {}
    for line in table.splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1] != "total":
            calls[words[1]] = calls.get(words[1], 0) + int(words[0])
    return calls


def curve(tools, server, rate, seconds):
    """Runs an open loop of 64 connections and 64 bytes. Returns points (1 / (1 - percentile), milliseconds)."""
    path = tools.work / "curve.hgrm"
    with running.serving(tools, server, 64) as process:
        words = [tools.echoload, "--json", "-", "--warmup", f"{running.WARMUP_S}s", "--duration", f"{seconds}s"]
        words += ["--rate", str(rate), "--histogram", str(path), f"127.0.0.1:{process.port}"]
        running.echoload_result([*processes.pinned(processes.CLIENT_CPU), *words], seconds)
    return points_of(path.read_text())


def points_of(table):
    """Parses HdrHistogram's percentile table: value, percentile, count, 1 / (1 - percentile)."""
    points = []
    for line in table.splitlines():
        words = line.split()
        if len(words) == 4 and words[0][0].isdigit() and words[3] not in ("inf", "∞"):
            points.append([float(words[3]), float(words[0])])
    return points
