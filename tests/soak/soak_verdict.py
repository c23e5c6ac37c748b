"""Judges a soak: the clients, echoload, the log and the counters must agree, and memory must not grow."""

import re
from collections import Counter
from collections.abc import Sequence

import configs
import kinds
from client_process import Tally
from daemon_log import DaemonLog

# The most that memory at rest may grow in an hour. The first rests are left out, because echod fills its caches then.
# There are hundreds of streams a second, so a leak of one byte for each stream would be above it.
MOST_SLOPE_KIB = 512.0
WARM_UP_SHARE = 0.25
LEAST_SPAN_S = 600.0  # The slope of a shorter time is not judged.
MOST_REST_SHARE = 0.02  # Of one CPU.
MOST_REST_SHARE_SANITIZED = 0.10
SLACK_KIB = 8 * 1024  # For the allocator, which cannot give back pages that are partly in use.
SLOTS_KIB = 1024  # Of each worker, for datagrams (daemon/sys/datagram_batch.hpp).
BLOCKS_KEPT = 16  # Free blocks that each worker keeps (daemon/echo/buffer_pool.hpp).
REFUSED = "reload: refused"
STARTED = re.compile(r"started: echod \S+, pid (\d+)")

EXACT = (kinds.WHOLE, kinds.LOCAL, kinds.IDLE, kinds.GATE_WHOLE)
PARTS = (kinds.CUT, kinds.STALLED, kinds.GATE_CUT)
REASONS = {
    kinds.WHOLE: {"peer_closed"},
    kinds.LOCAL: {"peer_closed"},
    kinds.GATE_WHOLE: {"peer_closed"},
    kinds.LOAD: {"peer_closed"},
    kinds.CUT: {"peer_closed", "reset"},
    kinds.GATE_CUT: {"peer_closed", "reset"},
    kinds.IDLE: {"peer_closed", "idle_timeout"},
    kinds.STALLED: {"peer_closed", "reset", "stalled_write", "idle_timeout"},
}
NEVER = ("closed_timed_out", "closed_io_error", "accept_errors", "register_failures", "paused_resources",
         "connection_lines_suppressed", "log_lines_dropped", "log_write_failures", "worker_stalls",
         "datagram_receive_errors", "connections", "buffered_bytes")

# The samples of /metrics that are counters of the log line under other names.
SAMPLES = {
    "accepted": "echod_connections_accepted_total",
    "accepts_declined": "echod_accepts_declined_total",
    "echoes": "echod_echoes_total",
    "bytes_received": "echod_received_bytes_total",
    "bytes_sent": "echod_sent_bytes_total",
    "empty_connections": "echod_connections_empty_total",
    "flips_to_write": "echod_flips_to_write_total",
    "turns_over_budget": "echod_turns_over_budget_total",
    "unbuffered_reads": "echod_unbuffered_reads_total",
    "splice_rounds": "echod_splice_rounds_total",
    "bytes_spliced": "echod_spliced_bytes_total",
    "datagrams_received": "echod_datagrams_received_total",
    "datagrams_echoed": "echod_datagrams_echoed_total",
    "datagram_trains": "echod_datagram_trains_total",
    "paused_full": 'echod_accept_pauses_total{cause="full"}',
    "reloads": 'echod_reloads_total{result="applied"}',
    "reloads_refused": 'echod_reloads_total{result="refused"}',
    "upgrades": 'echod_upgrades_total{result="done"}',
    "upgrades_refused": 'echod_upgrades_total{result="refused"}',
    "upgrades_failed": 'echod_upgrades_total{result="failed"}',
}


def closed(counters: dict[str, int]) -> int:
    return sum(value for name, value in counters.items() if name.startswith("closed_"))


def judge_counts(log: DaemonLog, counters: dict[str, int], came: Counter[str]) -> list[str]:
    """Checks that clients, log and counters have the same connections. `came`: the clients' count by address."""
    faults = []
    for source in sorted({*came, *log.opened, *log.closed}):
        seen = came[source], log.opened[source], log.closed[source]
        if len({*seen}) > 1:
            faults.append("from {}: {} connections, {} open lines and {} close lines in the log".format(source, *seen))
    total = came.total(), counters["accepted"], closed(counters)
    if len({*total}) > 1:
        faults.append("{} connections, accepted={}, the sum of closed_* is {}".format(*total))
    return faults


def judge_bytes(log: DaemonLog, counters: dict[str, int], clients: Tally) -> list[str]:
    faults = []
    for source in EXACT:
        seen = clients.sent[source], log.bytes_in[source], log.bytes_out[source], clients.received[source]
        if len({*seen}) > 1:
            faults.append("from {}: {} bytes sent, in={}, out={}, {} received".format(source, *seen))
    for source in PARTS:
        seen = clients.sent[source], log.bytes_in[source], log.bytes_out[source], clients.received[source]
        if list(seen) != sorted(seen, reverse=True):
            faults.append("from {}: {} bytes sent, in={}, out={}, {} received".format(source, *seen))
    if log.bytes_in[kinds.LOAD] != log.bytes_out[kinds.LOAD]:
        faults.append(f"echoload: in={log.bytes_in[kinds.LOAD]}, out={log.bytes_out[kinds.LOAD]}")
    for name, lines in (("bytes_received", log.bytes_in), ("bytes_sent", log.bytes_out)):
        if counters[name] != lines.total():
            faults.append(f"{name}={counters[name]}, but {lines.total()} in the close lines of the log")
    return faults


def judge_reasons(log: DaemonLog, clients: Tally) -> list[str]:
    faults = [f"closed for an impossible reason: {log.examples[source, reason]}"
              for source, reason in log.reasons if reason not in REASONS.get(source, set())]
    for source in (kinds.IDLE, kinds.STALLED):
        in_log = log.reasons[source, "idle_timeout"] + log.reasons[source, "stalled_write"]
        # The log may have more: those whose client left at the same moment.
        if in_log < clients.ended_by_server[source]:
            faults.append(f"from {source}: echod closed {clients.ended_by_server[source]}, but the log has {in_log}")
    return faults


def judge_datagrams(counters: dict[str, int], clients: Tally) -> list[str]:
    """Checks that each datagram came back, or was counted by echod or by the kernel as dropped.

    The kernel counts a train that it drops as one datagram.
    """
    received, echoed = counters["datagrams_received"], counters["datagrams_echoed"]
    dropped = sum(value for name, value in counters.items() if name.startswith("datagrams_dropped_"))
    full = counters["datagram_queue_dropped"]
    faults = []
    if not received + full <= clients.datagrams_sent <= received + full * kinds.LONGEST_TRAIN:
        faults.append(f"{clients.datagrams_sent} datagrams sent, but datagrams_received={received} and "
                      f"datagram_queue_dropped={full}")
    if received != echoed + dropped:
        faults.append(f"datagrams_received={received}, but {echoed} echoed and {dropped} dropped")
    if clients.datagrams_received + clients.datagrams_dropped != echoed:
        faults.append(f"datagrams_echoed={echoed}, but {clients.datagrams_received} came back and "
                      f"{clients.datagrams_dropped} were dropped by the client's kernel")
    return faults


def judge_rest(log: DaemonLog, counters: dict[str, int], clients: Tally, came: Counter[str]) -> list[str]:
    """Judges a rest, when all clients have left."""
    faults = judge_counts(log, counters, came) + judge_bytes(log, counters, clients) + judge_reasons(log, clients)
    faults += judge_datagrams(counters, clients)
    faults += [f"{name}={counters[name]}" for name in NEVER if counters[name] != 0]
    if clients.sent_hash != clients.received_hash:
        faults.append(f"the hash of all streams is {clients.sent_hash} sent, {clients.received_hash} received")
    return faults


def judge_admin(samples: dict[str, float], status: dict[str, int], counters: dict[str, int]) -> list[str]:
    """Checks /metrics and the counters of /status against those of the log line, which was logged at rest."""
    faults = [f"/status has {name}={value}, the log has {counters.get(name)}" for name, value in status.items()
              if counters.get(name) != value]
    names = SAMPLES | {name: f'echod_connections_closed_total{{reason="{name.removeprefix("closed_")}"}}'
                       for name in counters if name.startswith("closed_")}
    faults += [f"/metrics has {sample} {samples.get(sample)}, the log has {name}={counters[name]}"
               for name, sample in names.items() if samples.get(sample) != counters[name]]
    return faults


def judge_reloads(done: Counter[str], counters: dict[str, int], log: DaemonLog) -> list[str]:
    """Checks the counters of reloads and upgrades, and the log. `done`: what the soak did (reloads.py)."""
    expected = {"reloads": done["in_place"] + done["upgrades"], "reloads_refused": done["bad"],
                "upgrades": done["upgrades"], "upgrades_refused": 0, "upgrades_failed": 0}
    faults = [f"{name}={counters[name]}, expected {value}" for name, value in expected.items()
              if counters[name] != value]
    if log.complaints[REFUSED] != expected["reloads_refused"]:
        faults.append(f"the log says '{REFUSED}' {log.complaints[REFUSED]} times, "
                      f"expected {expected['reloads_refused']}")
    return faults


def judge_process(text: str, pid: int, upgrades: int) -> list[str]:
    """Checks, in the daemon's output, that all its programs ran in the same process."""
    pids = [int(found) for found in STARTED.findall(text)]
    if pids != [pid] * (1 + upgrades):
        return [f"{len(pids)} starts, expected {1 + upgrades}, in the processes {sorted({*pids})}, expected {pid}"]
    return []


def peak_bound_kib(at_rest_kib: int) -> int:
    """Returns the most memory that the configurations allow under load."""
    kept = BLOCKS_KEPT * configs.MOST_WORKERS * configs.MOST_BLOCK_KIB
    return at_rest_kib + configs.MOST_TOTAL_MIB * 1024 + kept + SLOTS_KIB * configs.MOST_WORKERS + SLACK_KIB


def slope_kib(samples: Sequence[tuple[float, float]]) -> float:
    """Returns the slope of the samples (seconds, KiB) in KiB per hour, by least squares."""
    middle_s = sum(seconds for seconds, _ in samples) / len(samples)
    middle_kib = sum(kib for _, kib in samples) / len(samples)
    square = sum((seconds - middle_s) ** 2 for seconds, _ in samples)
    return 3600 * sum((seconds - middle_s) * (kib - middle_kib) for seconds, kib in samples) / square if square else 0.0


def later(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [*samples[round(len(samples) * WARM_UP_SHARE):]]


def says_enough(samples: Sequence[tuple[float, float]]) -> bool:
    judged = later(samples)
    return len(judged) > 2 and judged[-1][0] - judged[0][0] >= LEAST_SPAN_S


def judge_memory(samples: Sequence[tuple[float, float]]) -> list[str]:
    """Judges the samples at rest. A short run is not judged."""
    slope = slope_kib(later(samples))
    if says_enough(samples) and slope > MOST_SLOPE_KIB:
        return [f"memory at rest grows by {slope:.0f} KiB per hour; the bound is {MOST_SLOPE_KIB:.0f}"]
    return []
