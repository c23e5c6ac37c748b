"""The configurations that a soak reloads: good ones and bad ones."""

import random

WORKERS = 3  # More than there are CPUs, so that workers are interrupted anywhere.
IDLE_S = 12  # Much longer than a well-behaved client is silent, even on an overloaded machine.
STALLED_S = 10
MOST_TOTAL_MIB = 32
MOST_BLOCK_KIB = 256

TEMPLATE = """
workers = {workers}
busy_poll_us = {busy_poll_us}
[[listen]]
address = "127.0.0.1"
port = 0
backlog = 4096
[[listen]]
address = "127.0.0.9"
port = 0
backlog = 4096
{listen}
[limits]
max_connections = {max_connections}
[buffers]
per_connection_kib = {per_connection_kib}
total_mib = {total_mib}
[turn]
bytes_kib = {bytes_kib}
reads = {reads}
accepts = {accepts}
[timeouts]
idle_s = {idle_s}
stalled_write_s = {stalled_s}
linger_s = 2
drain_s = 20
[log]
file_level = "debug"
connection_lines_per_second = 0
queue_lines = 65536
"""

REST = {"workers": WORKERS, "busy_poll_us": 0, "listen": "", "max_connections": 2000, "per_connection_kib": 4,
        "total_mib": 1, "bytes_kib": 128, "reads": 16, "accepts": 64, "idle_s": IDLE_S, "stalled_s": STALLED_S}

# Each is refused with an error that has file, line and column.
BAD = ("idel_s = 1\n", "= = =\n", "workers = -1\n", '[limits]\nmax_connections = "many"\n',
       "[buffers]\ntotal_mib = 0\n", "[turn]\nreads = 4096\n[timeouts]\nidle_s = 0.01\n",
       "[[listen]]\nport = 65536\n", '[log]\nfile_level = "loud"\n')


def at_rest() -> str:
    """The configuration at rest. Reply buffers are small, and echod keeps none of other sizes, so memory above that of
    the first rest was leaked.
    """
    return TEMPLATE.format(**REST)


def good(rng: random.Random) -> str:
    changes = {"busy_poll_us": rng.choice((0, 0, 50)), "max_connections": rng.choice((40, 150, 400, 2000)),
               "per_connection_kib": rng.choice((4, 16, 64, 128, MOST_BLOCK_KIB)),
               "total_mib": rng.choice((1, 4, 16, MOST_TOTAL_MIB)), "bytes_kib": rng.choice((1, 16, 128, 1024)),
               "reads": rng.choice((1, 4, 16, 200)), "accepts": rng.choice((1, 8, 64))}
    return TEMPLATE.format(**{**REST, **changes})


def needs_restart(rng: random.Random) -> str:
    """A good configuration with a key that needs a restart: one more listener, or fewer workers."""
    changes = rng.choice(({"workers": 1}, {"listen": '[[listen]]\naddress = "127.0.0.10"\nport = 0\n'}))
    return TEMPLATE.format(**{**REST, "per_connection_kib": 128, "total_mib": 16, **changes})


def bad(rng: random.Random) -> str:
    return rng.choice(BAD)
