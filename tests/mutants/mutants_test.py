"""Tests that each patch of tests/mutants applies to the current source. Plants no fault."""

import re
import unittest

from mutants import ROOT, apply, failure_in, patches


class PatchTest(unittest.TestCase):
    def test_every_patch_applies_says_what_it_does_and_is_short(self):
        self.assertGreaterEqual(len(patches()), 12)
        for name, patch in patches().items():
            with self.subTest(name):
                apply(patch, ROOT, "--dry-run")
                text = patch.read_text(encoding="utf-8")
                self.assertRegex(text, r"\A[A-Z][^\n]+\.\n--- a/(daemon|config|client)/")
                self.assertLessEqual(len(re.findall(r"^[-+](?![-+]{2} )", text, re.MULTILINE)), 6)

    def test_a_patch_that_does_not_apply_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "does not apply"):
            apply(ROOT / "README.md", ROOT, "--dry-run")


class FailureTest(unittest.TestCase):
    def test_is_the_test_that_failed(self):
        output = "[ RUN      ] A.b\n[       OK ] A.b (0 ms)\n[ RUN      ] All/A.c/0\n[  FAILED  ] All/A.c/0, where (1 ms)\n"
        self.assertEqual(failure_in(output), "All/A.c/0")

    def test_or_the_one_that_did_not_end(self):
        self.assertEqual(failure_in("[ RUN      ] A.b\n[       OK ] A.b (0 ms)\n[ RUN      ] A.c\n"), "A.c")


if __name__ == "__main__":
    unittest.main()
