#!/usr/bin/env python3
"""Makes the daemon's system calls and allocations fail, one in each run of a scenario, and judges each run."""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import library_calls
from fault_table import CLASSES, Fault, faults_of, is_client, is_not_always_made
from fault_verdict import Bounds, Injected, has_ended_in_upgrade, judge
from records import Binary, Record
from scenario import CHECK, FIRST, NEXT, SCENARIOS, Run, run

RUNS_OF_A_CPU = 3  # At a time: a run mostly waits.
UNDISTURBED_RUNS = 3
TRIES = 3  # A call of an earlier run may not happen again, or not as often.
BURST = 20
ADMIN_STEP = 7  # Of the allocations for answers of the admin thread, which are alike, so many-th fail.
PROGRAMS = {FIRST: "", CHECK: "/check", NEXT: "/next"}  # Parts of the names of cases.
START_STEP = 5  # Of the allocations of a program that starts for an upgrade, as any program starts, so many-th fail.


@dataclass(frozen=True)
class Case:
    """One fault in one run. It hits call number `nth` on `path`, or allocation number `nth`."""

    scenario: str
    name: str
    nth: int
    fault: Fault | None = None  # None: the fault is a failing allocation.
    path: tuple[int, ...] = ()
    hash: int = 0
    call: str = "operator new"
    functions: str = ""
    count: int = 1  # How many allocations in a row fail.
    attempt: library_calls.Attempt | None = None  # Set if strace injects the fault.
    program: int = FIRST

    @property
    def plan(self) -> str:
        if self.attempt:
            return ""
        if self.fault is None:
            return f"program {self.program} allocation {self.nth} {self.count}"
        return f"program {self.program} call {self.hash:x} {self.nth} {self.fault.action} {self.fault.value}"

    @property
    def kind(self) -> str:
        return "memory" if self.fault is None else self.fault.kind


@dataclass
class Result:
    case: Case
    record: Record = field(default_factory=Record)
    is_hit: bool = False
    has_served: bool = False
    has_ended: bool = False  # The next program refused to start, after an upgrade.
    failures: list[str] = field(default_factory=list)
    directory: str = ""  # The files of the run, kept if there are failures.
    functions: str = ""  # The functions that were hit, the innermost first.


@dataclass(frozen=True)
class Setup:
    """What each process of the pool needs."""

    binary: Binary
    echod: str
    seed: int
    bounds: dict[str, Bounds]
    keep: Path


setup: Setup


def set_up(value: Setup) -> None:
    global setup
    setup = value


def play(case: Case) -> Result:
    """Runs a case, and again if the call that should fail did not happen."""
    nth = case.nth
    result = Result(case)
    for number in range(TRIES):
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        played = Case(**{**case.__dict__, "nth": nth})
        command = case.attempt.command(setup.echod, directory) if case.attempt else [str(setup.binary.file)]
        seed = zlib.crc32(f"{setup.seed} {case.name} {case.nth} {number}".encode())
        ran = run(command, case.scenario, directory, seed, played.plan)
        is_hit = case.attempt.is_hit(directory) if case.attempt else ran.record.faults > 0
        functions = case.functions if case.fault else (f"{setup.binary.functions(ran.record.allocated_by)} < thread "
                                                       f"{ran.record.thread}")
        is_lasting = case.attempt is not None and case.attempt.is_lasting
        injected = Injected(case.call, functions, case.fault, case.program, is_lasting) if is_hit else None
        bounds = None if case.attempt else setup.bounds.get(case.scenario)
        result = Result(played, ran.record, is_hit, ran.has_served, has_ended_in_upgrade(ran, injected),
                        judge(ran, injected, bounds), functions=functions)
        if result.failures:
            kept = setup.keep / directory.name
            shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("notify", "record.*", "*.sock", "*.sock.*"))
            result.directory = str(kept)
        shutil.rmtree(directory)
        if is_hit or result.failures:
            break
        paths = ran.records[case.program - 1].paths if len(ran.records) >= case.program else {}
        nth = min(nth, paths.get(case.path, 0)) or 1
    return result


def positions(count: int, rng: random.Random, randoms: int) -> list[int]:
    chosen = {1, (count + 1) // 2, count} | {rng.randint(1, count) for _ in range(randoms)}
    return sorted(chosen)


def plan_calls(binary: Binary, undisturbed: dict[str, list[Run]], rng: random.Random) -> list[Case]:
    """Plans faults for all paths that are in no earlier scenario. A program that starts for an upgrade has few others,
    but a fault has other consequences in it, so there is also one fault for each path.
    """
    cases = []
    planned: set[tuple[int, ...]] = set()
    binary.learn({address for runs in undisturbed.values() for ran in runs for path in ran.record.paths
                  for address in path if address})
    for scenario in SCENARIOS:
        for program, role in PROGRAMS.items():
            records = [ran.records[program - 1] for ran in undisturbed[scenario] if len(ran.records) >= program]
            paths = sorted(set.intersection(*(set(record.paths) for record in records))) if records else []
            for path in paths:
                call, functions = binary.sites[path[0]], binary.functions(path)
                faults = faults_of(call, functions)
                if path not in planned:
                    nths = positions(min(record.paths[path] for record in records), rng, 2)
                elif program != FIRST:
                    faults, nths = faults[:1], [1]
                else:
                    continue
                cases += [Case(scenario, f"{scenario}{role} {binary.name(path)} {fault.name}", nth, fault, path,
                               records[0].hashes[path], call, functions, program=program)
                          for fault in faults for nth in nths]
            planned |= set(paths)
    return cases


def plan_allocations(undisturbed: dict[str, list[Run]], rng: random.Random) -> list[Case]:
    cases = []
    for scenario in SCENARIOS[:-1]:
        most = max(ran.record.allocations for ran in undisturbed[scenario])
        admin = undisturbed[scenario][0].admin_allocations
        alike = {*admin} - {*admin[rng.randrange(ADMIN_STEP)::ADMIN_STEP]}
        cases += [Case(scenario, f"{scenario} allocation", nth) for nth in range(1, most + 1) if nth not in alike]
        cases += [Case(scenario, f"{scenario} allocations", nth, count=BURST)
                  for nth in range(1, most + 1, BURST // 2) if nth not in alike]
    return cases + plan_allocations_of_upgrade(undisturbed[SCENARIOS[-1]], rng)


def plan_allocations_of_upgrade(undisturbed: list[Run], rng: random.Random) -> list[Case]:
    first = min(ran.first_of_upgrade for ran in undisturbed)
    ranges = {program: range(rng.randint(1, START_STEP), max(ran.records[program - 1].allocations
                                                             for ran in undisturbed) + 1, START_STEP)
              for program in (CHECK, NEXT)}
    ranges[FIRST] = range(first, max(ran.records[0].allocations for ran in undisturbed) + 1)
    cases = []
    for program, numbers in ranges.items():
        name = f"{SCENARIOS[-1]}{PROGRAMS[program]} allocation"
        cases += [Case(SCENARIOS[-1], name, nth, program=program) for nth in numbers]
        cases += [Case(SCENARIOS[-1], f"{name}s", nth, count=BURST, program=program)
                  for nth in numbers[::BURST // 2 // numbers.step]]
    return cases


def sample(cases: list[Case], number: int, rng: random.Random) -> list[Case]:
    """Returns `number` random cases, with at least one for each call site and for each entry for strace."""
    rng.shuffle(cases)
    first: dict[object, Case] = {}
    rest = []
    for case in cases:
        place = (case.attempt or (case.call, case.name.split()[2]) if case.fault
                 else (case.scenario, case.program))
        if place not in first:
            first[place] = case
        else:
            rest.append(case)
    # First those that reach code which nothing else reaches.
    rest.sort(key=lambda case: not (case.fault and (case.fault.action == "part" or case.call == "setrlimit")))
    return (list(first.values()) + rest)[:max(number, len(first))]


class Progress:
    """A progress bar on a terminal, else a line every 30 s."""

    def __init__(self, total: int):
        self.total, self.done, self.failures = total, 0, 0
        self.began = self.shown = time.monotonic()

    def step(self, failed: bool) -> None:
        self.done += 1
        self.failures += failed
        now = time.monotonic()
        is_terminal = sys.stderr.isatty()
        if self.done < self.total and now - self.shown < (0.2 if is_terminal else 30):
            return
        self.shown = now
        left = (now - self.began) / self.done * (self.total - self.done)
        bar = "#" * (30 * self.done // self.total)
        text = f"[{bar:30}] {self.done}/{self.total}, {self.failures} failures, {left / 60:.1f} min left"
        print(f"\r{text} " if is_terminal else text, end="" if is_terminal and self.done < self.total else "\n",
              file=sys.stderr, flush=True)


def unreached(binary: Binary, records: list[Record]) -> list[str]:
    """Returns complaints about source lines with a system call that no run has made. Inlined copies count as one."""
    binary.learn(set(binary.sites))
    reached = {binary.place(path[0]).line for record in records for path in record.paths}
    wrong = []
    for address, call in sorted(binary.sites.items()):
        place = binary.place(address)
        if is_client(place.line, place.function):
            if place.line in reached:
                wrong.append(f"{call} {place.line} was reached, though it is listed as echoload's")
        elif place.line not in reached and not is_not_always_made(call, place.function):
            wrong.append(f"{call} {place.line} was not reached by any run")
    return sorted(set(wrong))


def sites(binary: Binary) -> int:
    binary.learn(set(binary.sites))
    places = [(call, binary.place(address)) for address, call in binary.sites.items()]
    return len({(call, place.line) for call, place in places if not is_client(place.line, place.function)})


def report(results: list[Result], wrong: list[str], facts: dict, options: argparse.Namespace) -> dict:
    hit = [result for result in results if result.is_hit]
    kinds = Counter(result.case.kind for result in hit)
    summary = {
        **facts,
        "runs": len(results),
        "faults": len(hit),
        "missed": len(results) - len(hit),
        "refused_to_start": sum(not result.has_served for result in hit),
        "served": sum(result.has_served and not result.has_ended for result in hit),
        "ended_after_upgrade": sum(result.has_ended for result in hit),
        "by_class": {kind: kinds[kind] for kind in CLASSES if kinds[kind]},
        "by_call": dict(sorted(Counter(result.case.call for result in hit).items())),
        "unreached": wrong,
        "failures": [{"case": result.case.name, "nth": result.case.nth, "why": result.failures,
                      "where": result.functions, "kept": result.directory} for result in results if result.failures],
    }
    print(f"\n{summary['call_sites']} call sites, on {summary['paths']} paths; {summary['allocations']} allocations")
    print(f"{summary['faults']} faults: echod went on {summary['served']} times and refused to start "
          f"{summary['refused_to_start']} times, and ended at the start of the next program "
          f"{summary['ended_after_upgrade']} times; {summary['missed']} faults were not injected")
    for kind, number in summary["by_class"].items():
        print(f"  {kind:18} {number:6}")
    for line in wrong:
        print(f"FAILED  {line}")
    for result in results:
        if result.failures:
            print(f"FAILED  {result.case.name}, number {result.case.nth}")
            for why in result.failures:
                print(f"        {why}")
            print(f"        in {result.functions}")
            print(f"        kept: {result.directory}")
            print(f"        again: scripts/torture --seed {options.seed} --only '{result.case.name}' "
                  f"--nth {result.case.nth}")
    print(f"{len(summary['failures']) + len(wrong)} failures in {summary['seconds']:.0f} s, seed {options.seed}")
    return summary


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--sample", type=int, metavar="N", help="run N random faults instead of all")
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of faults and of the clients (1)")
    parser.add_argument("--only", metavar="NAME", help="run the cases whose name contains NAME")
    parser.add_argument("--nth", type=int, help="of those, run only the case with this number")
    parser.add_argument("--jobs", type=int, default=RUNS_OF_A_CPU * len(os.sched_getaffinity(0)),
                        help=f"how many runs at a time ({RUNS_OF_A_CPU} for each CPU)")
    parser.add_argument("--reach-all", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.whole = options.only is None and options.sample is None
    options.reach_all |= options.whole  # A sample may leave system calls out.
    return options


def run_undisturbed(pool) -> dict[str, list[Run]]:
    """Runs the scenarios without faults. Ends the program if one of them fails."""
    wanted = [scenario for scenario in SCENARIOS for _ in range(UNDISTURBED_RUNS)]
    found: dict[str, list[Run]] = {scenario: [] for scenario in SCENARIOS}
    for scenario, (ran, failures) in zip(wanted, pool.map(play_undisturbed, wanted), strict=True):
        if failures:
            sys.exit(f"torture: {scenario} fails without any fault: {failures}\n{ran.text}")
        found[scenario].append(ran)
    return found


def play_undisturbed(scenario: str) -> tuple[Run, list[str]]:
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        ran = run([str(setup.binary.file)], scenario, Path(directory), setup.seed)
    failures = judge(ran, None, None)
    ran.clients = []  # Sockets cannot be passed to the parent process.
    return ran, failures


def main() -> int:
    options = arguments()
    began = time.monotonic()
    rng = random.Random(options.seed)
    options.build = options.build.absolute()
    keep = options.build / "torture"
    shutil.rmtree(keep, ignore_errors=True)
    keep.mkdir(parents=True)
    binary = Binary(options.build / "tests/echod-faults")
    basic = Setup(binary, str(options.build / "daemon/echod"), options.seed, {}, keep)
    with multiprocessing.Pool(options.jobs, set_up, (basic,)) as pool:
        undisturbed = run_undisturbed(pool)
    bounds = {scenario: Bounds(max(ran.record.calls for ran in runs), max(ran.cpu_s for ran in runs))
              for scenario, runs in undisturbed.items()}
    cases = plan_calls(binary, undisturbed, rng) + plan_allocations(undisturbed, rng)
    cases += [Case(attempt.scenario, f"{attempt.scenario} strace {attempt.name}", 1, attempt.fault, call=attempt.call,
                   functions=attempt.functions, attempt=attempt) for attempt in library_calls.ATTEMPTS]
    if options.only is not None:
        cases = [case for case in cases if options.only in case.name and options.nth in (None, case.nth)]
    elif options.sample is not None:
        cases = sample(cases, options.sample, rng)
    print(f"torture: {len(cases)} faults, seed {options.seed}", file=sys.stderr, flush=True)
    progress = Progress(len(cases))
    results = []
    ready = Setup(basic.binary, basic.echod, basic.seed, bounds, keep)
    with multiprocessing.Pool(options.jobs, set_up, (ready,)) as pool:
        for result in pool.imap_unordered(play, cases):
            results.append(result)
            progress.step(bool(result.failures))
    records = [ran.record for runs in undisturbed.values() for ran in runs]
    facts = {
        "seed": options.seed,
        "whole": options.whole,
        "call_sites": sites(binary),
        "paths": len({path for record in records for path in record.paths}),
        "allocations": sum(max(ran.record.allocations for ran in runs) for runs in undisturbed.values()),
        "seconds": time.monotonic() - began,
    }
    wrong = unreached(binary, records + [result.record for result in results]) if options.reach_all else []
    missed = sum(not result.is_hit for result in results)
    if missed > len(cases) // 20 or len(results) < len(cases):
        without = len(cases) - len(results)
        wrong.append(f"of {len(cases)} faults {missed} were not injected, and {without} have no result")
    summary = report(results, wrong, facts, options)
    (keep / "result.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 1 if summary["failures"] or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
