"""test_results.py FILE: lists the tests that ctest(1) skipped, with reasons, and those that failed, with the lines that
say why. FILE is from ctest --output-junit."""

import re
import sys
import xml.etree.ElementTree as xml

# The output of GoogleTest's GTEST_SKIP(), and of a scenario of tests/hostile.
REASON = re.compile(r": Skipped\n(.+)|(not possible here: .+)")
# The first line that says why a test failed: of GoogleTest, of a sanitizer, of Python.
FAILURE = re.compile(r".*(: Failure$|unknown file|exception|Sanitizer|runtime error:|Traceback|^FAIL)", re.MULTILINE)
FAILURE_LINES = 12


def reason(output: str) -> str:
    found = REASON.search(output)
    return found[1] or found[2] if found else "without a reason"


def failure(output: str) -> str:
    lines = output.strip().splitlines()
    if found := FAILURE.search(output):
        lines = output[found.start():].splitlines()[:FAILURE_LINES]
    return "\n".join(f"   {line}" for line in lines[-FAILURE_LINES:])


def results(junit: str) -> list[str]:
    skipped, failed = [], []
    for case in xml.fromstring(junit).iter("testcase"):
        name, output = case.get("name"), case.findtext("system-out") or ""
        if case.find("skipped") is not None:
            skipped.append(f"{name}: {reason(output)}")
        elif case.find("failure") is not None:
            failed.append(f"{name}:\n{failure(output)}")
    return [line for title, lines in (("skipped", skipped), ("failed", failed)) if lines
            for line in (f"== {title}: {len(lines)}", *lines)]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = results(file.read())
    if lines:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
