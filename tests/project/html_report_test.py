"""Tests the page that `echoload --html` writes, as a browser shows it. Without a browser it tests only the XML.

$ECHOD_BUILD_DIR is the build directory of the programs. With the name of a PNG file as argument, it makes the picture
for docs/echoload.md instead: of a run in which the server is stopped for a moment.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browser import Browser, Page, expect_charts, installed
from echod_process import EchodProcess

BUILD = Path(os.environ["ECHOD_BUILD_DIR"])
ECHOLOAD = BUILD / "client" / "echoload"
SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.
NO_BROWSER = "no browser is installed (scripts/test --all installs chromium-headless-shell)"

RUNS = {
    "closed_loop": ["--duration", "1s", "--interval", "100ms"],
    "open_loop": ["--duration", "1s", "--interval", "100ms", "--rate", "2k", "--slo", "p99=30s", "--slo", "p50=1us"],
    "few_samples": ["--duration", "1s", "--rate", "7", "--connections", "2"],
    "connect": ["--duration", "500ms", "--mode", "connect", "--connections", "8", "--slo", "max=1ms"],
    "stream": ["--duration", "500ms", "--mode", "stream", "--connections", "2"],
}

# A script that returns the texts of a chart that overlap or are partly outside of it.
COLLISIONS = """
[...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  const frame = svg.getBoundingClientRect();
  const outside = texts.filter(([, box]) => box.left < frame.left || box.right > frame.right ||
                                            box.top < frame.top || box.bottom > frame.bottom);
  const pairs = texts.flatMap(([one, a], i) => texts.slice(i + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => one + ' / ' + other));
  return [...outside.map(([text]) => text + ' / the edge'), ...pairs];
})
"""


def run(arguments: list[str], target: str) -> None:
    done = subprocess.run([ECHOLOAD, "--warmup", "0", *arguments, target], capture_output=True, text=True)
    if done.returncode not in (0, 1, 69):
        raise RuntimeError(done.stderr)


class HtmlReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="echod-test-")
        cls.addClassCleanup(directory.cleanup)
        cls.files = {name: Path(directory.name) / f"{name}.html" for name in [*RUNS, "refused", "broken"]}
        with EchodProcess(BUILD / "daemon" / "echod") as echod:
            for name, arguments in RUNS.items():
                run([*arguments, "--html", str(cls.files[name])], f"127.0.0.1:{echod.port}")
            echod.stop()
        # A stopped server: every connection times out, so there are errors all the time.
        with EchodProcess(BUILD / "daemon" / "echod") as echod:
            echod.freeze()
            run(["--duration", "1s", "--interval", "100ms", "--timeout", "50ms", "--html", str(cls.files["broken"])],
                f"127.0.0.1:{echod.port}")
            echod.thaw()
        run(["--html", str(cls.files["refused"])], "127.0.0.1:1")

    def test_it_is_well_formed_and_names_no_other_file(self):
        for name, file in self.files.items():
            with self.subTest(run=name):
                root = ElementTree.parse(file).getroot()
                self.assertEqual(root.tag, "html")
                elements = list(root.iter())
                self.assertEqual([one.tag for one in elements if one.tag in ("script", "link", "img", "iframe")], [])
                self.assertEqual([one.tag for one in elements if {"src", "href"} & set(one.attrib)], [])
                self.assertNotIn("url(", file.read_text("utf-8"))

    def see(self, page: Page) -> None:
        self.assertEqual(page.complaints, [])
        self.assertEqual(len(page.requests), 1, page.requests)
        self.assertEqual(page.value_of("document.compatMode"), "CSS1Compat")
        self.assertEqual(page.value_of(COLLISIONS), [])
        self.assertLessEqual(page.value_of("document.documentElement.scrollWidth - innerWidth"), 0)

    @unittest.skipUnless(installed(), NO_BROWSER)
    def test_a_browser_shows_it_without_complaint_at_any_width_in_light_and_dark(self):
        with Browser(str(installed())) as browser:
            for name, file in self.files.items():
                for width, scheme in ((1000, "light"), (1600, "dark"), (420, "light")):
                    with self.subTest(run=name, width=width, scheme=scheme):
                        page = browser.open(file, width, scheme)
                        self.see(page)
                        charts = page.value_of("document.querySelectorAll('svg').length")
                        self.assertGreaterEqual(charts, {"refused": 0, "stream": 1, "broken": 4}.get(name, 3))

    @unittest.skipUnless(installed(), NO_BROWSER)
    def test_the_picture_is_not_blank_and_is_light_or_dark_as_the_reader_wants(self):
        with Browser(str(installed())) as browser:
            for scheme in ("light", "dark"):
                with self.subTest(scheme=scheme):
                    page = browser.open(self.files["open_loop"], 1000, scheme)
                    expect_charts(self, page.picture(scale=0.25), scheme)


def make_picture(file: Path) -> None:
    with tempfile.TemporaryDirectory() as directory, EchodProcess(BUILD / "daemon" / "echod") as echod:
        html = Path(directory) / "report.html"
        words = ["--connections", "200", "--rate", "4k", "--duration", "20s", "--slo", "p50=1ms", "--slo", "p99=50ms"]
        with subprocess.Popen([ECHOLOAD, *words, "--html", html, f"127.0.0.1:{echod.port}"],
                              stdout=subprocess.DEVNULL):
            time.sleep(9)
            echod.freeze()
            time.sleep(1.4)
            echod.thaw()
        with Browser(str(installed())) as browser:
            page = browser.open(html)
            bottom = page.value_of("document.querySelectorAll('section')[2].getBoundingClientRect().bottom")
            file.write_bytes(page.picture(height=bottom + 16))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".png"):
        make_picture(Path(sys.argv[1]))
        sys.exit()
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    if not installed():
        print(f"not possible here: {NO_BROWSER}")
        sys.exit(SKIPPED)
