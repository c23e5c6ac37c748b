"""Tests the documents: their links lead to files, and their selections of tests match some.

$ECHOD_BUILD_DIR is the build directory whose tests are used.
"""

import os
import re
import subprocess
import unittest
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")  # Without URLs.
SELECTION = re.compile(r"(?:ctest|scripts/test) [^\n`]*?-R (?:'([^']+)'|(\S+))")


def tests_that_match(expression: str) -> set[str]:
    listed = subprocess.run(["ctest", "--test-dir", os.environ["ECHOD_BUILD_DIR"], "-N", "-R", expression],
                            capture_output=True, check=True, text=True)
    return set(re.findall(r"(?m)^ *Test +#\d+: (\S+)", listed.stdout))


def selections() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for quoted, bare in SELECTION.findall(document.read_text("utf-8")):
            yield document, (quoted or bare).replace("\\|", "|")  # A cell of a table has \| for |.


class DocumentsTest(unittest.TestCase):
    def test_every_link_leads_to_a_file(self):
        for document in DOCUMENTS:
            for target in LINK.findall(document.read_text("utf-8")):
                with self.subTest(document=document.name, target=target):
                    self.assertTrue((document.parent / target).exists())

    def test_every_selection_of_tests_selects_some(self):
        found = list(selections())
        self.assertGreater(len(found), 3)
        for document, expression in found:
            with self.subTest(document=document.name, expression=expression):
                self.assertTrue(tests_that_match(expression))

    def test_the_example_of_the_readme_selects_all_tests_with_half_close_in_their_names(self):
        [expression] = [expression for document, expression in selections() if document == ROOT / "README.md"]
        wanted = {name for name in tests_that_match(".") if "halfclose" in name.lower().replace("_", "")}
        self.assertGreater(len(wanted), 10)
        self.assertEqual(tests_that_match(expression), wanted)


if __name__ == "__main__":
    unittest.main()
