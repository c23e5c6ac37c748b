"""Plants faults in a copy of the source, one at a time, and reports which test notices each (scripts/mutants)."""

import argparse
import filecmp
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).resolve().parent
COPY = ROOT / "build/mutants"
BUILD = COPY / "build/release"
TIME_LIMIT_S = 600  # For a suite, because a fault may make a test hang.


@dataclass(frozen=True)
class Suite:
    """A test executable."""
    name: str
    filter: str = "*"
    is_parallel: bool = False


# The quick ones come first. Tests that need root or their own machine are left out.
SUITES = (Suite("scripted_tests"), Suite("client_scripted_tests"), Suite("unit_tests"), Suite("client_tests"),
          Suite("check_tests", is_parallel=True),
          Suite("integration_tests", filter="-*Root*:*SpreadingTest*", is_parallel=True))
TARGETS = ("echod", "echoload", *(suite.name for suite in SUITES))


def patches() -> dict[str, Path]:
    return {file.stem: file for file in sorted(PATCHES.glob("*.patch"))}


def apply(patch: Path, source: Path, *options: str) -> None:
    """Applies a patch. Ends the program if it does not apply."""
    command = ["patch", "--strip=1", "--fuzz=0", "--force", "--silent", f"--directory={source}", f"--input={patch}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"mutants: {patch.name} does not apply: {done.stdout}{done.stderr}")


def files_of(source: Path) -> set[Path]:
    found = set()
    for folder, subfolders, names in os.walk(source):
        if Path(folder) == source:
            subfolders[:] = [name for name in subfolders if name not in ("build", ".git")]
        found.update((Path(folder) / name).relative_to(source) for name in names)
    return found


def update_copy() -> None:
    """Makes the copy equal to the source. Does not touch equal files, so that the build is incremental."""
    wanted = files_of(ROOT)
    for name in files_of(COPY) - wanted:
        (COPY / name).unlink()
    for name in wanted:
        if not (COPY / name).exists() or not filecmp.cmp(ROOT / name, COPY / name, shallow=False):
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, COPY / name)


def build(jobs: int) -> None:
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--parallel", str(jobs), "--target", *TARGETS]):
        done = subprocess.run(command, cwd=COPY, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"mutants: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def failure_in(output: str) -> str:
    """Returns the test that failed, or the running test if the program crashed or hung."""
    failed = re.search(r"^\[  FAILED  \] ([\w/]+\.[\w/]+)", output, re.MULTILINE)
    return failed[1] if failed else re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)[-1]


def run(suite: Suite, jobs: int) -> str | None:
    """Runs the tests of a suite until one fails. Returns its name, or None."""
    parts = 4 * jobs if suite.is_parallel else 1  # More than CPUs, because these tests mostly wait.
    deadline = time.monotonic() + TIME_LIMIT_S
    with ExitStack() as cleanup:
        running = []
        for part in range(parts):
            log = cleanup.enter_context((BUILD / f"{suite.name}.{part}.log").open("w+", encoding="utf-8", errors="replace"))
            process = subprocess.Popen(
                [BUILD / "tests" / suite.name, "--gtest_fail_fast", f"--gtest_filter={suite.filter}"],
                cwd=BUILD / "tests", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"GTEST_TOTAL_SHARDS": str(parts), "GTEST_SHARD_INDEX": str(part)})
            cleanup.callback(process.wait)
            cleanup.callback(process.kill)
            running.append((process, log))
        while running:
            for process, log in list(running):
                if process.poll() == 0:
                    running.remove((process, log))
                elif process.returncode is not None or time.monotonic() > deadline:
                    log.seek(0)
                    return failure_in(log.read())
            time.sleep(0.1)
    return None


def first_failure(jobs: int) -> str | None:
    """Returns the first test that fails twice. A single failure may be due to the load of the machine."""
    for suite in SUITES:
        for _ in range(3):
            failed = run(suite, jobs)
            if not failed:
                break
            if run(Suite(suite.name, filter=failed), jobs):
                return failed
            print(f"{failed} failed, but passed when it was run again", flush=True)
    return None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the faults to plant; default: all")
    parser.add_argument("--list", action="store_true", help="print the names and what each fault does")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of parallel compilers")
    options = parser.parse_args()
    unknown = set(options.names) - set(patches())
    if unknown:
        parser.error(f"unknown fault: {', '.join(sorted(unknown))}; --list prints the names")
    return options


def main() -> int:
    options = arguments()
    wanted = {name: patch for name, patch in patches().items() if not options.names or name in options.names}
    if options.list:
        for name, patch in wanted.items():
            print(f"{name}: {patch.read_text(encoding='utf-8').splitlines()[0]}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("mutants: stopped"))  # Ends the tests too.
    began = time.monotonic()
    update_copy()
    for patch in wanted.values():
        apply(patch, COPY, "--dry-run")
    build(options.jobs)
    if failed := first_failure(options.jobs):
        sys.exit(f"mutants: {failed} fails without any fault")
    noticed = 0
    for name, patch in wanted.items():
        apply(patch, COPY)
        build(options.jobs)
        failed = first_failure(options.jobs)
        noticed += failed is not None
        print(f"{name}: {'caught by ' + failed if failed else 'NOT NOTICED'}", flush=True)
        apply(patch, COPY, "--reverse")
    print(f"{noticed} of {len(wanted)} faults noticed, in {time.monotonic() - began:.0f} s")
    return 0 if noticed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
