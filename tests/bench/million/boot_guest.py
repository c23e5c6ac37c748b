"""Boots a virtual machine with its own kernel, and runs measure.sh there."""

import math
import sys

import virtual_machine
from formatting import gib, whole
from measurement import HERE, Failure, follow_to_the_end, parameters
from processes import kib_of

# Upper bounds of the guest's memory: for both ends of a connection, and for the guest itself.
BYTES_PER_CONNECTION = 14 << 10
BYTES_OF_GUEST = 640 << 20


def run_in_machine(options):
    program = virtual_machine.missing_program()
    if program:
        raise Failure(f"{program} is missing: scripts/install-packages million; or run it with --here")
    if not options.kernel or not options.kernel.exists():
        raise Failure(f"no kernel to boot: {options.kernel}")
    memory = memory_for(options)
    options.accelerator = options.accelerator or virtual_machine.accelerator()
    machine = virtual_machine.Machine(
        options.kernel, options.cpus, f"{memory}G", options.accelerator, options.output / "console.txt"
    )
    # A large hash table of sockets, and separate statistics for each slab cache.
    buckets = 1 << max(16, (2 * options.connections).bit_length())
    print(f"booting a virtual machine: {options.accelerator}, {options.cpus} CPUs, {memory} GiB", file=sys.stderr)
    process = machine.boot(initramfs(options), f"thash_entries={buckets} slab_nomerge")
    run = follow_to_the_end(process, options)
    if not run.codes:
        raise Failure(f"the virtual machine ended early: {machine.last_words()}")
    return run


def memory_for(options):
    """Returns the GiB of memory for the guest. Raises Failure if this machine does not have enough."""
    needed = options.connections * BYTES_PER_CONNECTION + BYTES_OF_GUEST
    memory = options.memory or math.ceil(needed / (1 << 30))
    if memory << 30 < needed:
        raise Failure(
            f"{whole(options.connections)} connections need some {gib(needed)} of memory: "
            f"--memory {memory} is too small"
        )
    available = sum(kib_of("/proc/meminfo", name) for name in ("MemAvailable", "SwapFree")) << 10
    if available < needed:
        most = max(0, (available - BYTES_OF_GUEST) // BYTES_PER_CONNECTION // 1000 * 1000)
        raise Failure(
            f"{whole(options.connections)} connections need some {gib(needed)} of memory, "
            f"{gib(available)} are available: --connections {most} would fit"
        )
    return memory


def initramfs(options):
    """Makes the guest's file system: echod, echoload, their libraries, and the scripts."""
    # Each program has its own CPU, because in an emulation switching between address spaces is expensive.
    pins = ("taskset 1 ", "taskset 2 ") if options.cpus > 1 else ("", "")
    environment = {"ECHOD": f'"{pins[0]}/bin/echod"', "ECHOLOAD": f'"{pins[1]}/bin/echoload"'}
    environment |= {"CONFIG": "/echod.toml", "WORK": "/tmp"}
    environment |= parameters(options, (10000, 65535), 2003)
    values = options.output / "parameters"
    values.write_text("".join(f"export {key}={value}\n" for key, value in environment.items()))
    programs = {"echod": options.build / "daemon/echod", "echoload": options.build / "client/echoload"}
    files = {"init": HERE / "guest-init.sh", "measure.sh": HERE / "measure.sh", "echod.toml": HERE / "echod.toml"}
    return virtual_machine.make_initramfs(options.output, programs, files | {"parameters": values})
