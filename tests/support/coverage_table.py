"""coverage_table.py FILE LINES BRANCHES: prints gcovr's JSON summary as a table of files.

Fails if less than LINES percent of the lines, or BRANCHES percent of the branches, are covered.
"""

import json
import os
import sys


def percent(covered, total):
    return 100 * covered / total if total else 100.0


def row(name, part):
    lines = percent(part["line_covered"], part["line_total"])
    branches = percent(part["branch_covered"], part["branch_total"])
    missed = f"{part['line_total'] - part['line_covered']:6} {part['branch_total'] - part['branch_covered']:8}"
    print(f"{name:40} {lines:7.1f} % {branches:7.1f} % {missed}")


def main():
    summary = json.load(open(sys.argv[1], encoding="utf-8"))
    print(f"{'file':40} {'lines':>9} {'branches':>9} {'missed':>6} {'branches':>8}")
    for part in summary["files"]:
        row(os.path.relpath(os.path.realpath(part["filename"])), part)  # Headers are found through links.
    row("all", summary)
    is_low = False
    for kind, plural, floor in (("line", "lines", float(sys.argv[2])), ("branch", "branches", float(sys.argv[3]))):
        value = percent(summary[f"{kind}_covered"], summary[f"{kind}_total"])
        if value < floor:
            print(f"coverage: {value:.2f} % of the {plural}, the floor is {floor:g} %", file=sys.stderr)
            is_low = True
    return 1 if is_low else 0


if __name__ == "__main__":
    sys.exit(main())
