"""Tests the build as a packager uses it: without tests, with a missing package, and installed below a prefix.

$ECHOD_BUILD_DIR is a directory where everything is built.
"""

import os
import re
import subprocess
import tempfile
import unittest
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"PkgConfig": "pkgconf", "spdlog": "libspdlog-dev", "tomlplusplus": "libtomlplusplus-dev",
            "CLI11": "libcli11-dev", "nlohmann_json": "nlohmann-json3-dev", "Boost": "libboost-dev",
            "GTest": "libgtest-dev", "rapidcheck": "librapidcheck-dev"}


class ConfigureTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def configure(self, missing: Collection[str], *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        find = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}={name in missing}" for name in PACKAGES]
        return subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", self.directory.name, *find, *options],
                              env={**os.environ, **environment}, capture_output=True, text=True, check=False)

    def test_a_missing_package_is_named_as_debian_names_it(self):
        cases = [(name, package, {}) for name, package in PACKAGES.items()]
        for name, package, environment in [("", "libsystemd-dev", {"PKG_CONFIG_LIBDIR": "/nonexistent"}), *cases]:
            with self.subTest(package=package):
                ended = self.configure({name}, "-DBUILD_TESTING=ON", **environment)
                self.assertEqual(ended.returncode, 1)
                self.assertIn(f"apt-get install {package}\n", ended.stderr)

    def test_without_testing_there_are_no_tests_and_none_of_their_packages_is_needed(self):
        ended = self.configure({"GTest", "rapidcheck"}, "-DBUILD_TESTING=OFF")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertFalse(Path(self.directory.name, "tests").exists())


class OneDefinitionTest(unittest.TestCase):
    def test_no_class_name_is_used_twice_in_a_namespace(self):
        """A program that links both would have undefined behaviour, without a word of the compiler."""
        defined: dict[tuple[str, str], set[Path]] = {}
        for folder in ("client", "config", "daemon"):
            for header in (ROOT / folder).rglob("*.hpp"):
                text = header.read_text(encoding="utf-8")
                namespace = re.search(r"^namespace ([\w:]+) \{", text, re.MULTILINE)
                for name in re.findall(r"^(?:class|struct|enum class) (\w+)\b[^;{]*\{", text, re.MULTILINE):
                    defined.setdefault((namespace[1] if namespace else "", name), set()).add(header)
        self.assertGreater(len(defined), 100)
        self.assertEqual({name: files for name, files in defined.items() if len(files) > 1}, {})


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.prefix = Path(directory.name)
        subprocess.run(["cmake", "--install", os.environ["ECHOD_BUILD_DIR"], "--prefix", cls.prefix],
                       capture_output=True, check=True)

    def test_it_brings_programs_completions_pages_and_an_example_and_nothing_in_etc(self):
        for name in ("sbin/echod", "bin/echoctl", "bin/echoload", "share/man/man8/echod.8",
                     "share/man/man5/echod.toml.5", "share/man/man1/echoctl.1", "share/man/man1/echoload.1",
                     "share/bash-completion/completions/echoctl", "share/bash-completion/completions/echod",
                     "share/bash-completion/completions/echoload",
                     "share/doc/echod/examples/monitoring/prometheus.yml",
                     "share/doc/echod/examples/monitoring/alerts.yml",
                     "share/doc/echod/examples/monitoring/grafana-dashboard.json"):
            self.assertTrue((self.prefix / name).is_file(), name)
        self.assertEqual((self.prefix / "share/doc/echod/examples/echod.toml").read_bytes(),
                         (ROOT / "config/echod.toml").read_bytes())
        self.assertFalse((self.prefix / "etc").exists())  # /etc belongs to the operator.

    def test_every_file_that_an_installed_page_names_below_a_prefix_is_installed(self):
        for page in self.prefix.glob("share/man/*/*"):
            text = page.read_text("utf-8").replace("\\-", "-")
            self.assertNotIn("/usr/local", text)
            for file in re.findall(rf"{self.prefix}/[\w./-]+", text):
                self.assertTrue(Path(file).is_file(), f"{page.name}: {file}")

    def test_every_link_of_an_installed_document_leads_to_a_file(self):
        documents = list(self.prefix.glob("share/doc/echod/*.md"))
        self.assertGreater(len(documents), 1)
        for document in documents:
            for target in re.findall(r"\]\(([^)#:]+)", document.read_text("utf-8")):
                self.assertTrue((document.parent / target).exists(), f"{document.name}: {target}")


if __name__ == "__main__":
    unittest.main()
