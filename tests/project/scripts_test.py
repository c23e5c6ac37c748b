"""Tests the scripts: their --help, the list of skipped and failed tests, and the messages of the package's purge."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from test_results import results

SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if os.access(path, os.X_OK))
WITH_HELP = [*SCRIPTS, ROOT / "packaging/build-deb", ROOT / "tests/system/run"]


def run_with(programs: dict[str, str], command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Runs a command with a PATH that has only these programs: each is a link to a file, or a script with this text."""
    with tempfile.TemporaryDirectory() as directory:
        for name, what in programs.items():
            path = Path(directory, name)
            if what.startswith("/"):
                path.symlink_to(what)
            else:
                path.write_text(f"#!/bin/sh\n{what}\n", encoding="ascii")
                path.chmod(0o755)
        return subprocess.run(command, env={"PATH": directory}, cwd=directory, capture_output=True, text=True,
                              check=False, timeout=60)


def installed(*names: str) -> dict[str, str]:
    return {name: shutil.which(name) or "" for name in names}


class HelpTest(unittest.TestCase):
    def test_every_script_prints_its_help_without_a_program_that_installs_or_builds(self):
        for script in WITH_HELP:
            for arguments in (["--help"], ["-h"], ["--all", "--help"]):
                with self.subTest(script=script.name, arguments=arguments):
                    ended = run_with(installed("dirname", "sed"), [script, *arguments])
                    self.assertEqual((ended.returncode, ended.stderr), (0, ""))
                    self.assertRegex(ended.stdout, rf"^{script.name}\b")

    def test_where_python_is_installed_the_options_of_the_program_follow(self):
        for script, option in (("bench", "--rounds N"), ("bench-million", "--idle SECONDS"), ("fuzz", "TARGET "),
                               ("hostile", "--list "), ("soak", "--at-a-time N"), ("torture", "--sample N")):
            with self.subTest(script=script):
                ended = run_with(installed("dirname", "sed", "python3"), [ROOT / "scripts" / script, "--help"])
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))
                self.assertRegex(ended.stdout, rf"(?s)options:.*\n  {option}|\npositional arguments:.*\n  {option}")


class TestResultsTest(unittest.TestCase):
    def lines(self, outcome: str, outputs: dict[str, str]) -> list[str]:
        cases = "".join(f'<testcase name="{name}"><{outcome}/><system-out>{text}</system-out></testcase>'
                        for name, text in outputs.items())
        return results(f'<testsuite><testcase name="passed"/>{cases}</testsuite>')

    def test_each_skipped_test_has_its_reason(self):
        outputs = {"Interop.Nc": "/x/interop_test.cpp:36: Skipped\nnc is &lt;not&gt; installed\n\n[  SKIPPED ] Interop.Nc\n",
                   "hostile_full_disk": "full_disk: skipped\n    not possible here: a tmpfs: no\n", "silent": ""}
        self.assertEqual(self.lines("skipped", outputs),
                         ["== skipped: 3", "Interop.Nc: nc is <not> installed",
                          "hostile_full_disk: not possible here: a tmpfs: no", "silent: without a reason"])

    def test_each_failed_test_has_the_lines_that_say_why(self):
        outputs = {"a": "[ RUN      ] a\n/x/a_test.cpp:5: Failure\nExpected: 1\n", "b": "it\nended\n"}
        self.assertEqual(self.lines("failure", outputs),
                         ["== failed: 2", "a:\n   /x/a_test.cpp:5: Failure\n   Expected: 1", "b:\n   it\n   ended"])


class LintTest(unittest.TestCase):
    def test_other_versions_of_its_tools_are_reported_and_are_no_success(self):
        tools = dict.fromkeys(("clang-format", "clang-tidy"), "echo version 19.1.7")
        ended = run_with({**installed("dirname"), **tools}, [ROOT / "scripts/lint"])
        self.assertEqual(ended.returncode, 77, ended.stderr)
        self.assertIn("skipped: needs clang-format 14", ended.stderr)


class PurgeTest(unittest.TestCase):
    def purge(self, **programs: str) -> str:
        ended = run_with({"getent": "exit 0", "rm": "exit 0", **programs},
                         ["/bin/sh", ROOT / "packaging/debian/echod.postrm", "purge"])
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return ended.stdout

    def test_without_the_package_passwd_user_and_group_are_reported_as_left(self):
        said = self.purge()
        self.assertIn("the user echod was not removed", said)
        self.assertIn("the group echod was not removed", said)

    def test_with_it_they_go_without_a_word(self):
        self.assertEqual(self.purge(userdel="exit 0", groupdel="exit 0"), "")


if __name__ == "__main__":
    unittest.main()
