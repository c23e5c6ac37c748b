"""Runs fuzz targets one after the other, and prints a table of executions, coverage and findings."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
HERE = SOURCE / "tests/fuzz"
BUILD = SOURCE / "build/fuzz"
MOST_BYTES = {"config": 4096, "http_request": 9216}  # The maximum size of an input; 1024 for other targets.
PROGRESS_S = 10
HEADS = ("target", "executions", "per second", "corpus", "edges", "findings")


def targets():
    return sorted(path.name.removesuffix("_fuzz.cpp") for path in HERE.glob("*_fuzz.cpp"))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=6, help="for all targets together (6)")
    parser.add_argument("--merge", action="store_true", help="add inputs that reach more code to tests/fuzz/corpus")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets()))
    options = parser.parse_args(arguments)
    options.targets = options.targets or targets()
    unknown = set(options.targets) - set(targets())
    if unknown or options.minutes <= 0:
        parser.error(f"unknown target: {', '.join(unknown)}" if unknown else "--minutes must be above 0")
    return options


class Target:
    def __init__(self, name):
        self.name = name
        self.seeds = HERE / "corpus" / name
        self.found = BUILD / "corpus" / name
        self.findings = BUILD / "findings" / name
        self.log = BUILD / f"{name}.log"
        self.program = BUILD / "tests/fuzz" / f"{name}_fuzz"
        for directory in (self.found, self.findings):
            directory.mkdir(parents=True, exist_ok=True)

    def command(self, *options):
        dictionary = HERE / f"{self.name}.dict"
        command = [self.program, f"-artifact_prefix={self.findings}/", f"-max_len={MOST_BYTES.get(self.name, 1024)}"]
        command += [f"-dict={dictionary}"] if dictionary.exists() else []
        return [str(part) for part in (*command, *options)]

    def run(self, seconds):
        """Runs the target and returns its row of the table. libFuzzer ends at the first finding."""
        before = set(self.findings.iterdir())
        begin = time.monotonic()
        options = (f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1")
        with self.log.open("w") as log:
            process = subprocess.Popen(self.command(*options, self.found, self.seeds), stdout=log, stderr=log)
            while True:
                try:
                    exit_code = process.wait(PROGRESS_S)
                    break
                except subprocess.TimeoutExpired:
                    self.report(time.monotonic() - begin, seconds)
        elapsed = time.monotonic() - begin
        text = self.log.read_text(errors="replace")
        executions = last(r"number_of_executed_units: (\d+)", text)
        new = sorted(str(path.relative_to(SOURCE)) for path in set(self.findings.iterdir()) - before)
        if exit_code != 0 and not new:
            new = [str(self.log.relative_to(SOURCE))]  # It did not start.
        return {
            "target": self.name,
            "executions": executions,
            "seconds": round(elapsed, 1),
            "executions_per_s": round(executions / elapsed),
            "corpus": len(list(self.found.iterdir())) + len(list(self.seeds.iterdir())),
            "edges": last(r" cov: (\d+)", text),
            "findings": new,
        }

    def report(self, elapsed, seconds):
        text = self.log.read_text(errors="replace")
        executions = last(r"^#(\d+)", text)
        edges = last(r" cov: (\d+)", text)
        print(f"{self.name}: {elapsed:.0f} of {seconds} s, at least {executions} executions, {edges} edges",
              file=sys.stderr, flush=True)

    def merge(self):
        """Adds inputs that reach new edges to the corpus. Counts of each edge are ignored, to keep the corpus small."""
        before = len(list(self.seeds.iterdir()))
        subprocess.run(self.command("-merge=1", "-use_counters=0", self.seeds, self.found), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        added = len(list(self.seeds.iterdir())) - before
        print(f"{self.name}: {added} inputs added to {self.seeds.relative_to(SOURCE)}")


def last(pattern, text):
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def print_table(rows):
    lines = [HEADS]
    for row in rows:
        figures = (row["executions"], row["executions_per_s"], row["corpus"], row["edges"], len(row["findings"]))
        lines.append((row["target"], *(f"{figure:,}".replace(",", " ") for figure in figures)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]))


def main():
    options = parse(sys.argv[1:])
    seconds = max(1, round(options.minutes * 60 / len(options.targets)))
    rows = []
    for target in map(Target, options.targets):
        print(f"{target.name}: {seconds} s", file=sys.stderr, flush=True)
        rows.append(target.run(seconds))
        if options.merge and not rows[-1]["findings"]:
            target.merge()
    print_table(rows)
    findings = [finding for row in rows for finding in row["findings"]]
    totals = {"executions": sum(row["executions"] for row in rows), "findings": findings, "targets": rows}
    (BUILD / "totals.json").write_text(json.dumps(totals, indent=2) + "\n")
    for finding in findings:
        print(f"found: {finding}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
