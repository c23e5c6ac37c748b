"""Opens very many connections to one echod, in a virtual machine or here, and reports their costs.

Read in this order: measure.sh opens the connections and prints raw figures of the kernel; measurement.py runs it and
reads the figures; boot_guest.py runs it in a virtual machine; costs.py and summary.py make the report.
"""

import argparse
import pathlib
import resource
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path += [str(HERE.parents[1]), str(HERE.parents[2] / "support")]  # Shared modules.

from boot_guest import run_in_machine
from costs import complaints, figures
from measurement import Failure, read, run_here
from scenarios import SPARE_DESCRIPTORS
from servers import SOURCE
from summary import publish


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench-million", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kernel", type=pathlib.Path, help="the kernel to boot (a cloud kernel, which is fetched)")
    parser.add_argument("--connections", type=int, help="how many (1 000 000; --here: 19 000 or as ulimit -n allows)")
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
    most_here = min(19_000, hard - SPARE_DESCRIPTORS) if hard != resource.RLIM_INFINITY else 19_000
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
            raise Failure(f"there is no result; see the output in {options.output / 'raw.txt'}")
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
