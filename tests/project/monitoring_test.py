"""Tests the metrics and the files in docs/monitoring, with promtool where it is installed.

$ECHOD_BUILD_DIR is the build directory of the programs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BUILD = Path(os.environ["ECHOD_BUILD_DIR"])
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.
NO_PROMTOOL = "promtool is not installed (scripts/test --all installs prometheus)"
NAME = re.compile(r"\b(?:echod|process)_\w+\b")


def metrics(*arguments: str) -> str:
    words = [BUILD / "tests" / "write_snapshot", "metrics", *arguments]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout


def promtool(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=FOLDER, input=text, capture_output=True, text=True)


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']}, {target['refId']}", target["expr"]
    for annotation in dashboard()["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


def alerts() -> list[str]:
    return re.findall(r"^ +- alert: (\w+)$", (FOLDER / "alerts.yml").read_text("utf-8"), re.MULTILINE)


class NamesTest(unittest.TestCase):
    def setUp(self) -> None:
        self.samples = set(re.findall(r"^(\w+)[ {]", metrics(), re.MULTILINE))
        self.families = set(re.findall(r"^# TYPE (\w+) ", metrics(), re.MULTILINE))

    def test_alerts_and_dashboard_use_metrics_that_exist(self) -> None:
        texts = [("alerts.yml", expression) for expression in
                 re.findall(r"^ +expr: (.*)$", (FOLDER / "alerts.yml").read_text("utf-8"), re.MULTILINE)]
        texts += [*dashboard_queries(), ("README.md", (FOLDER / "README.md").read_text("utf-8")),
                  ("alerts_test.yml", (FOLDER / "alerts_test.yml").read_text("utf-8"))]
        for place, text in texts:
            with self.subTest(place=place):
                names = set(NAME.findall(text))
                self.assertTrue(names or place == "alerts.yml")
                self.assertLessEqual(names, self.samples)

    def test_the_dashboard_shows_every_metric_of_the_echo_service(self) -> None:
        shown = {re.sub("_(bucket|sum|count)$", "", name)
                 for _, query in dashboard_queries() for name in NAME.findall(query)}
        families = {name for name in self.families if not name.startswith("echod_admin_")}
        self.assertEqual(families - shown, {"echod_healthy", "echod_listener_open", "echod_datagram_listener_open",
                                            "echod_config_loaded_timestamp_seconds"})

    def test_every_alert_has_a_test_in_which_it_fires(self) -> None:
        tests = (FOLDER / "alerts_test.yml").read_text("utf-8")
        self.assertEqual(re.findall(r"^  - name: (\w+) fires$", tests, re.MULTILINE), alerts())
        self.assertGreater(len(alerts()), 8)


class DashboardTest(unittest.TestCase):
    def test_panels_have_ids_of_their_own_and_do_not_overlap(self) -> None:
        panels = dashboard()["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            mine = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                    for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & mine, panel["title"])
            cells |= mine

    def test_queries_ask_the_chosen_data_source_about_the_chosen_instances(self) -> None:
        source = {"type": "prometheus", "uid": "${datasource}"}
        self.assertEqual([one["name"] for one in dashboard()["templating"]["list"]], ["datasource", "instance"])
        for panel in dashboard()["panels"]:
            for target in panel.get("targets", []):
                with self.subTest(panel=panel["title"]):
                    self.assertEqual((panel["datasource"], target["datasource"]), (source, source))
                    names = len(NAME.findall(target["expr"]))
                    self.assertEqual(target["expr"].count('{instance=~"$instance"'), names)
        for annotation in dashboard()["annotations"]["list"]:
            with self.subTest(annotation=annotation["name"]):
                self.assertEqual(annotation["datasource"], source)
                self.assertEqual(annotation["expr"].count('{instance=~"$instance"'), 1)


@unittest.skipUnless(shutil.which("promtool"), NO_PROMTOOL)
class PromtoolTest(unittest.TestCase):
    def accepts(self, done: subprocess.CompletedProcess[str]) -> None:
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)

    def test_the_metrics_have_no_lint(self) -> None:
        for arguments in ((), ("idle",), ("hostile",), ("--listeners", "0", "--workers", "0"),
                          ("--listeners", "3", "--workers", "4")):
            with self.subTest(arguments=arguments):
                self.accepts(promtool("check", "metrics", text=metrics(*arguments)))

    def test_the_configuration_and_the_rules_are_valid(self) -> None:
        self.accepts(promtool("check", "config", "prometheus.yml"))
        self.accepts(promtool("check", "rules", "--lint-fatal", "alerts.yml"))

    def test_the_alerts_fire_when_they_should(self) -> None:
        self.accepts(promtool("test", "rules", "alerts_test.yml"))

    def test_the_queries_of_the_dashboard_are_valid(self) -> None:
        rules = [{"record": f"query_{number}", "expr": query.replace("$__rate_interval", "1m")}
                 for number, (_, query) in enumerate(dashboard_queries())]
        with tempfile.TemporaryDirectory(prefix="echod-test-") as folder:
            file = Path(folder) / "rules.yml"  # JSON is YAML too.
            file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
            done = promtool("check", "rules", str(file))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(rules)} rules found", done.stdout)


if __name__ == "__main__":
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    if not shutil.which("promtool"):
        print(f"not possible here: {NO_PROMTOOL}")
        sys.exit(SKIPPED)
