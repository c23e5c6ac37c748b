"""Boots a virtual machine with its own kernel and a file system that the test makes. Uses QEMU, busybox and cpio."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DIRECTORIES = ("bin", "dev", "proc", "sys", "tmp")
BEGIN = Path(__file__).with_name("guest-begin.sh")
PROGRAMS = ("qemu-system-x86_64", "busybox", "cpio")


@dataclass(frozen=True)
class Machine:
    """The parameters of a virtual machine. `memory`: for QEMU, such as "12G". `accelerator`: see accelerator()."""

    kernel: Path
    cpus: int
    memory: str
    accelerator: str
    console: Path  # The file for the kernel's messages.

    def boot(self, initramfs: Path, kernel_options: str = "", options: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Boots and runs /init. The process's stdin and stdout are the guest's /dev/ttyS1. The guest has no network."""
        # Three things slow an emulation down. A 16-byte compare-and-exchange, which the kernel's allocator uses, may
        # stop all CPUs, so cx16 is off. Large registers make each task switch slower, so the CPU is a qemu64. The
        # kernel's mitigations and init_on_alloc cost the most, so they are off below.
        is_emulated = self.accelerator == "tcg"
        command = ["qemu-system-x86_64", "-cpu", "qemu64,-cx16" if is_emulated else "host"]
        command += ["-accel", "tcg,thread=multi" if is_emulated else self.accelerator]
        command += ["-smp", str(self.cpus), "-m", self.memory, "-nodefaults", "-no-user-config", "-no-reboot"]
        command += ["-display", "none", "-kernel", str(self.kernel), "-initrd", str(initramfs)]
        # The kernel's check of the timer at boot would take a busy host for broken hardware.
        common = "mitigations=off init_on_alloc=0 tsc=reliable no_timer_check"
        command += ["-append", f"console=ttyS0 quiet panic=-1 {common} {kernel_options}"]
        command += ["-serial", f"file:{self.console}", "-serial", "stdio", *options]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
                                start_new_session=True)

    def last_words(self) -> str:
        lines = self.console.read_text(errors="replace").splitlines()
        telling = [line for line in lines if "Kernel panic" in line or "Out of memory" in line] or lines[-1:]
        return f"{telling[0].strip()} ({self.console})" if telling else f"its console is empty ({self.console})"


def missing_program() -> str | None:
    return next((program for program in PROGRAMS if shutil.which(program) is None), None)


def accelerator() -> str:
    """Returns "kvm" if a machine starts with it, else "tcg", which emulates the processor."""
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-S", "-nodefaults", "-display", "none"]
    probe += ["-monitor", "stdio"]
    try:
        ended = subprocess.run(probe, input="quit\n", capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "tcg"
    return "kvm" if ended.returncode == 0 else "tcg"


def make_initramfs(directory: Path, programs: Mapping[str, Path], files: Mapping[str, Path]) -> Path:
    """Makes the guest's file system in `directory`, and returns its file.

    `programs` and busybox go to /bin, and the libraries that they load to their places. One of `files` must be /init,
    which sources /begin first.
    """
    root = directory / "root"
    shutil.rmtree(root, ignore_errors=True)
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True)
    content = {library[1:]: Path(library) for program in programs.values() for library in libraries(program)}
    content |= {f"bin/{name}": path for name, path in programs.items()}
    content |= {"bin/busybox": Path(shutil.which("busybox") or "busybox"), "begin": BEGIN, **files}
    for name, path in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / name)  # Follows symbolic links.
    (root / "init").chmod(0o755)
    names = "\n".join(["."] + sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    image = directory / "initramfs"
    with image.open("wb") as out:
        command = ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet"]
        subprocess.run(command, cwd=root, input=names.encode(), stdout=out, check=True)
    return image


def libraries(program: Path) -> set[str]:
    """Returns the shared libraries that the program loads, and the dynamic linker."""
    lines = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout.splitlines()
    return {word for line in lines for word in line.split() if word.startswith("/")}
