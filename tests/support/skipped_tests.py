"""skipped_tests.py FILE: lists the tests that ctest(1) skipped, with reasons. FILE is from ctest --output-junit."""

import re
import sys
import xml.etree.ElementTree as xml

# The output of GoogleTest's GTEST_SKIP(), and of a scenario of tests/hostile.
REASON = re.compile(r": Skipped\n(.+)|(not possible here: .+)")


def reason(output: str) -> str:
    found = REASON.search(output)
    return found[1] or found[2] if found else "without a reason"


def skipped(junit: str) -> list[str]:
    return [f"{case.get('name')}: {reason(case.findtext('system-out') or '')}"
            for case in xml.fromstring(junit).iter("testcase") if case.find("skipped") is not None]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = skipped(file.read())
    if lines:
        print("\n".join([f"== skipped: {len(lines)}", *lines]))


if __name__ == "__main__":
    main()
