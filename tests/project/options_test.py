"""Tests that --help, the manual page and the completion of each program have the same options, and for echoctl the same
commands.

$ECHOD_BUILD_DIR is a directory where everything is built.
"""

import os
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"echod": ("daemon/echod", "echod.8"), "echoctl": ("client/echoctl/echoctl", "echoctl.1"),
            "echoload": ("client/echoload", "echoload.1")}


def help_of(program: str) -> str:
    command = [Path(os.environ["ECHOD_BUILD_DIR"], PROGRAMS[program][0]), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def page_of(program: str) -> str:
    return (ROOT / "docs/man" / PROGRAMS[program][1]).read_text("utf-8").replace("\\-", "-").replace("\\ ", " ")


def completion_of(program: str) -> str:
    return (ROOT / "packaging/completions" / program).read_text("utf-8")


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def entries_of(page: str) -> str:
    """The lines of a manual page that begin a paragraph of the form "option, then its text"."""
    return "\n".join(re.findall(r"(?m)^\.T[PQ]\n(.*)", page))


class OptionsTest(unittest.TestCase):
    def test_help_page_and_completion_have_the_same_options(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                options = options_in(re.sub(r"(?m)^Usage:.*\n", "", help_of(program)))
                self.assertIn("--version", options)
                self.assertEqual(options_in(entries_of(page_of(program))), options)
                self.assertEqual(options_in(completion_of(program)), options)

    def test_the_completion_offers_files_for_each_option_that_takes_a_file(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                options = set(re.findall(r"(?m)^  (--[a-z-]+) (?:FILE|PATH) ", help_of(program)))
                cases = re.findall(r"(?m)^    (--[^)]*)\)((?:\n      .*)*)", completion_of(program))
                completed = {option for names, body in cases if "_filedir" in body for option in names.split(" | ")}
                self.assertTrue(options)
                self.assertEqual(options - completed, set())

    def test_help_page_and_completion_have_the_same_commands_of_echoctl(self):
        commands = re.findall(r"(?m)^  ([a-z-]+)", help_of("echoctl").split("Commands:\n")[1].split("\n\n")[0])
        self.assertGreater(len(commands), 5)
        page = page_of("echoctl").split(".SH COMMANDS\n")[1].split(".SH ")[0]
        self.assertEqual(re.findall(r"(?m)^\.TP\n\.\w+ \"?([a-z-]+)", page), commands)
        self.assertIn(f"-W '{' '.join(commands)}'", completion_of("echoctl"))

    def test_the_page_of_echoctl_has_the_exit_codes_of_its_help(self):
        codes = re.findall(r"(?m)^ +(\d+)  ", help_of("echoctl"))
        page = page_of("echoctl").split(".SH EXIT STATUS\n")[1].split(".SH ")[0]
        self.assertEqual(re.findall(r"(?m)^\.TP\n\.B (\d+)$", page), codes)


if __name__ == "__main__":
    unittest.main()
