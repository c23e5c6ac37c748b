"""Tests the manual pages: at any width of a terminal, groff(1) prints no warning and breaks no name. The texts of the
keys are those of config/echod.toml.
"""

import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "man"
PAGES = sorted(FOLDER.glob("*.[0-9]"))
WIDTHS = range(60, 133, 4)
SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.


class ManPagesTest(unittest.TestCase):
    def test_no_warnings_and_no_name_in_two_from_60_to_132_columns(self):
        for page in PAGES:
            for width in WIDTHS:
                with self.subTest(page=page.name, width=width):
                    shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww", f"-rLL={width}n", page],
                                           capture_output=True, check=True, text=True, encoding="utf-8")
                    self.assertEqual(shown.stderr, "")
                    text = re.sub("\x1b\\[[0-9;]*m", "", shown.stdout)
                    self.assertNotRegex(text, r"(?m)\u2010$", "a word is hyphenated")
                    self.assertNotRegex(text, r"(?m)(--\S*|network)-$", "a name is broken in two")


    def test_the_texts_of_the_keys_are_those_of_the_shipped_configuration(self):
        check = [sys.executable, "-B", FOLDER / "write_keys.py", "--check"]
        self.assertEqual(subprocess.run(check, capture_output=True, text=True, check=False).stderr, "")


if __name__ == "__main__":
    if shutil.which("groff") is None:
        print("not possible here: groff is missing (scripts/test installs groff-base)")
        sys.exit(SKIPPED)
    unittest.main()
