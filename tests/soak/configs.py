"""The configurations that a soak reloads: good ones and bad ones.

A good one has two parts: keys that echod applies in place, and keys that it applies by an upgrade in place.
"""

import random

Keys = dict[str, int | str]

WORKERS = 4  # More than there are CPUs, so that workers are interrupted anywhere.
MOST_WORKERS = WORKERS  # Each more would open a UDP socket, which stays open when there are fewer again.
IDLE_S = 12  # Much longer than a well-behaved client is silent, even on an overloaded machine.
STALLED_S = 10
MOST_TOTAL_MIB = 32
MOST_BLOCK_KIB = 256

LOCAL_PATH = "echo.sock"  # Of the UNIX listener, in $RUNTIME_DIRECTORY.

TEMPLATE = """
workers = {workers}
busy_poll_us = {busy_poll_us}
[[listen]]
address = "127.0.0.1"
port = 0
backlog = {backlog}
[[listen]]
address = "127.0.0.9"
port = 0
backlog = 4096
[[listen]]
protocol = "udp"
address = "127.0.0.1"
port = 0
[[listen]]
path = "{path}"
backlog = 4096
{listen}
[limits]
max_connections = {max_connections}
[buffers]
per_connection_kib = {per_connection_kib}
total_mib = {total_mib}
splice = {splice}
[turn]
bytes_kib = {bytes_kib}
reads = {reads}
accepts = {accepts}
[timeouts]
idle_s = {idle_s}
stalled_write_s = {stalled_s}
linger_s = 2
drain_s = 20
[socket]
keepalive_idle_s = {keepalive_idle_s}
send_buffer_kib = {send_buffer_kib}
[log]
file_level = "debug"
connection_lines_per_second = 0
queue_lines = {queue_lines}
"""

IN_PLACE_AT_REST: Keys = {
    "busy_poll_us": 0, "max_connections": 2000, "per_connection_kib": 4, "total_mib": 1, "splice": "false",
    "bytes_kib": 128, "reads": 16, "accepts": 64, "idle_s": IDLE_S, "stalled_s": STALLED_S}
BY_UPGRADE_AT_REST: Keys = {
    "workers": WORKERS, "backlog": 4096, "listen": "", "keepalive_idle_s": 60, "send_buffer_kib": 0,
    "queue_lines": 65536}
FURTHER_ADDRESS = "127.0.0.10"
FURTHER_LISTENER = f'[[listen]]\naddress = "{FURTHER_ADDRESS}"\nport = 0\n'
# The queue of log lines is never so short that lines are dropped.
BY_UPGRADE: dict[str, tuple[int | str, ...]] = {
    "workers": (1, 2, 3, WORKERS), "backlog": (512, 4096), "listen": ("", FURTHER_LISTENER),
    "keepalive_idle_s": (60, 90), "send_buffer_kib": (0, 256), "queue_lines": (32768, 65536)}

# Each is refused with an error that has file, line and column.
BAD = ("idel_s = 1\n", "= = =\n", "workers = -1\n", '[limits]\nmax_connections = "many"\n',
       "[buffers]\ntotal_mib = 0\n", "[turn]\nreads = 4096\n[timeouts]\nidle_s = 0.01\n",
       "[[listen]]\nport = 65536\n", '[log]\nfile_level = "loud"\n')


def text(in_place: Keys, by_upgrade: Keys) -> str:
    return TEMPLATE.format(**in_place, **by_upgrade, path=LOCAL_PATH)


def at_rest() -> str:
    """The configuration at rest. Reply buffers are small, and echod keeps none of other sizes, so memory above that of
    the first rest was leaked.
    """
    return text(IN_PLACE_AT_REST, BY_UPGRADE_AT_REST)


def in_place(rng: random.Random) -> Keys:
    """Other values of keys that echod applies in place."""
    changes: Keys = {
        "busy_poll_us": rng.choice((0, 0, 50)), "max_connections": rng.choice((40, 150, 400, 2000)),
        "per_connection_kib": rng.choice((4, 16, 64, 128, MOST_BLOCK_KIB)),
        "total_mib": rng.choice((1, 4, 16, MOST_TOTAL_MIB)), "bytes_kib": rng.choice((1, 16, 128, 1024)),
        "reads": rng.choice((1, 4, 16, 200)), "accepts": rng.choice((1, 8, 64))}
    if rng.random() < 0.5:  # It needs sizes that are not small.
        changes |= {"splice": "true", "per_connection_kib": rng.choice((64, MOST_BLOCK_KIB)),
                    "total_mib": rng.choice((16, MOST_TOTAL_MIB)), "bytes_kib": rng.choice((128, 1024))}
    return {**IN_PLACE_AT_REST, **changes}


def by_upgrade(rng: random.Random, running: Keys) -> Keys:
    """The keys that need an upgrade. One or two of them have other values than in `running`."""
    names = rng.sample([*BY_UPGRADE], rng.choice((1, 2)))
    return {**running, **{name: rng.choice([value for value in BY_UPGRADE[name] if value != running[name]])
                          for name in names}}


def bad(rng: random.Random) -> str:
    return rng.choice(BAD)
