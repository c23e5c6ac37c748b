"""Boots a virtual machine with a kernel of its own, where measure.sh runs."""

import math
import shutil
import subprocess
import sys

from formatting import gib, whole
from measurement import HERE, Failure, follow_to_the_end, parameters
from processes import kib_of

# What a connection, both ends of it, takes of the guest's memory at most, and the guest itself.
BYTES_PER_CONNECTION = 14 << 10
BYTES_OF_GUEST = 640 << 20


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


def accelerator():
    """What runs the guest's instructions: the processor, if it really does, or an emulation."""
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-S", "-nodefaults", "-display", "none"]
    probe += ["-monitor", "stdio"]
    try:
        ended = subprocess.run(probe, input="quit\n", capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "tcg"
    return "kvm" if ended.returncode == 0 else "tcg"


def memory_for(options):
    """GiB of the guest. Checks that there is as much here as it will take."""
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


def libraries(program):
    """Files that the dynamic linker loads for it, and the linker itself."""
    lines = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout.splitlines()
    return {word for line in lines for word in line.split() if word.startswith("/")}


def last_words(console):
    lines = console.read_text(errors="replace").splitlines()
    telling = [line for line in lines if "Kernel panic" in line or "Out of memory" in line] or lines[-1:]
    return f"{telling[0].strip()} ({console})" if telling else f"its console is empty ({console})"
