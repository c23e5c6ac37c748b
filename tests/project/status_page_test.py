"""Tests the status page of echod as a browser shows it. Without a browser it tests only the XML.

$ECHOD_BUILD_DIR is the build directory of the programs. With the name of a PNG file as argument, it makes the picture
for the documents instead: of an echod that has served for some minutes.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browser import Browser, Page, expect_charts, installed
from echod_process import EchodProcess
from stream_sockets import connect, reserved_port

BUILD = Path(os.environ["ECHOD_BUILD_DIR"])
SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.
NO_BROWSER = "no browser is installed (scripts/test --all installs chromium-headless-shell)"

# Arguments of write_snapshot.
CASES = {
    "usual": ["--listeners", "1", "--workers", "2"],
    "many": ["--listeners", "40", "--workers", "64"],
    "hostile": ["--listeners", "2", "--workers", "2", "hostile"],
    "paused": ["--paused"],
    "nothing": ["--listeners", "0", "--workers", "0", "idle"],
}
WINDOWS = ((360, "light"), (360, "dark"), (700, "dark"), (1000, "light"), (1400, "dark"))
LINKS = {"metrics", "status", "healthz", "readyz"}

# A script that returns the texts that are wider than their element, or too small to read.
UNREADABLE = """
[...document.querySelectorAll('td, th, dt, dd, p, li, h2, h3, pre, figcaption, .plot span')]
  .filter(one => !one.closest('thead') || getComputedStyle(one.closest('thead')).position !== 'absolute')
  .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline' ||
                 parseFloat(getComputedStyle(one).fontSize) < 12)
  .map(one => one.tagName + ': ' + one.textContent.slice(0, 60))
"""


def config_of(admin_port: int) -> str:
    return f'[admin]\nsocket = ""\naddress = "127.0.0.1"\nport = {admin_port}\n'


class WrittenPagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="echod-test-")
        cls.addClassCleanup(directory.cleanup)
        cls.files = {}
        for name, arguments in CASES.items():
            cls.files[name] = Path(directory.name) / f"{name}.html"
            written = subprocess.run([BUILD / "tests" / "write_snapshot", "page", *arguments], capture_output=True,
                                     check=True)
            cls.files[name].write_bytes(written.stdout)

    def test_they_are_well_formed_and_name_no_other_file(self):
        for name, file in self.files.items():
            with self.subTest(page=name):
                elements = list(ElementTree.parse(file).getroot().iter())
                self.assertEqual([one.tag for one in elements if one.tag in ("script", "link", "img", "iframe")], [])
                self.assertEqual([one.tag for one in elements if "src" in one.attrib], [])
                self.assertEqual([key for one in elements for key in one.attrib if key.startswith("on")], [])
                links = {one.attrib["href"] for one in elements if "href" in one.attrib}
                expected = {"./"} if name == "paused" else {"?refresh=never", "?refresh=never#configuration"}
                self.assertEqual(links, LINKS | expected)

    def test_they_refresh_themselves_unless_they_are_paused(self):
        for name, file in self.files.items():
            refreshes = [one.attrib.get("content") for one in ElementTree.parse(file).getroot().iter("meta")
                         if one.attrib.get("http-equiv") == "refresh"]
            self.assertEqual(refreshes, [] if name == "paused" else ["5"], name)

    def test_tables_have_captions_and_headings(self):
        for table in ElementTree.parse(self.files["many"]).getroot().iter("table"):
            caption = "".join(table.find("caption").itertext()).strip()
            self.assertTrue(caption)
            columns = table.findall("thead/tr/th")
            self.assertTrue(all(one.attrib["scope"] == "col" for one in columns))
            for row in table.findall("tbody/tr"):
                self.assertEqual(row[0].attrib["scope"], "row")
                self.assertEqual(len(row), len(columns), caption)

    @unittest.skipUnless(installed(), NO_BROWSER)
    def test_a_browser_shows_them_at_any_width_in_light_and_dark(self):
        with Browser(str(installed())) as browser:
            for name, file in self.files.items():
                for width, scheme in WINDOWS:
                    with self.subTest(page=name, width=width, scheme=scheme):
                        page = browser.open(file, width, scheme)
                        self.assertEqual(page.complaints, [])
                        self.assertEqual(len(page.requests), 1, page.requests)
                        self.assertEqual(page.value_of("document.compatMode"), "CSS1Compat")
                        self.assertLessEqual(page.value_of("document.documentElement.scrollWidth - innerWidth"), 0)
                        self.assertEqual(page.value_of(UNREADABLE), [])
                        self.see(name, page)

    def see(self, name: str, page: Page) -> None:
        text = page.value_of("document.body.innerText")
        state = "unhealthy" if name == "hostile" else "serving"
        self.assertRegex(page.value_of("document.title"), f"^echod: {state}, [0-9 ]+ connections$")
        self.assertEqual(page.value_of("document.querySelector('.state').innerText"), state)
        self.assertEqual(page.value_of("document.querySelectorAll('svg').length"), 0 if name == "nothing" else 2)
        self.assertEqual(page.value_of("document.querySelectorAll('.listeners tbody tr').length"),
                         {"many": 41, "nothing": 0, "hostile": 3}.get(name, 2))  # The last one is for UDP.
        self.assertEqual(page.value_of("document.querySelectorAll('.workers tbody tr').length"),
                         {"many": 64, "nothing": 0}.get(name, 2))
        self.assertEqual(page.value_of("document.querySelector('details').open"), name == "paused")
        for heading in ("Listeners", "Workers", "Closed", "Refused and delayed", "Server delay", "Work", "Log"):
            self.assertIn(f"{heading}\n", text)
        if name == "hostile":
            self.assertIn("<script>alert(1)</script>", text)
            self.assertEqual(page.value_of("document.scripts.length"), 0)

    @unittest.skipUnless(installed(), NO_BROWSER)
    def test_the_picture_is_not_blank_and_is_light_or_dark_as_the_reader_wants(self):
        with Browser(str(installed())) as browser:
            for scheme in ("light", "dark"):
                with self.subTest(scheme=scheme):
                    page = browser.open(self.files["usual"], 1000, scheme)
                    expect_charts(self, page.picture(scale=0.25), scheme)


class ServedPageTest(unittest.TestCase):
    @unittest.skipUnless(installed(), NO_BROWSER)
    def test_shows_what_the_clients_did_and_refreshes_itself(self):
        with ExitStack() as stack:
            port = stack.enter_context(reserved_port())
            echod = stack.enter_context(EchodProcess(BUILD / "daemon" / "echod", config_of(port)))
            clients = [stack.enter_context(connect(("127.0.0.1", echod.port))) for _ in range(7)]
            for client in clients:
                client.setblocking(True)
                client.sendall(b"x" * 1000)
                received = b""
                while len(received) < 1000:
                    received += client.recv(1000)
            browser = stack.enter_context(Browser(str(installed())))
            page = browser.open(f"http://127.0.0.1:{port}/", 360)
            self.assertEqual(page.value_of("document.title"), "echod: serving, 7 connections")
            row = page.value_of("document.querySelector('.listeners tbody tr').innerText")
            self.assertEqual(row.split(), [f"127.0.0.1:{echod.port}", "7", "7", "0", "of", "1", "024", "0"])
            self.assertIn("bytes received bytes that were read to be echoed 6.84 KiB 6.84 KiB",
                          " ".join(page.value_of("document.body.innerText").split()))
            clients.pop().close()
            page.wait_for_load(2)
            self.assertEqual(page.value_of("document.title"), "echod: serving, 6 connections")
            self.assertEqual(page.complaints, [])
            self.assertEqual(set(page.requests), {f"http://127.0.0.1:{port}/"})
            paused = browser.open(f"http://127.0.0.1:{port}/?refresh=never#configuration")
            self.assertTrue(paused.value_of("document.querySelector('details').open"))
            self.assertIn(f"port = {port}", paused.value_of("document.querySelector('pre').innerText"))
            for client in clients:
                client.close()
            echod.stop()


def make_picture(file: Path) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port())
        listeners = "".join(f'[[listen]]\naddress = "127.0.0.{host}"\nport = 0\n' for host in (1, 2))
        echod = stack.enter_context(EchodProcess(BUILD / "daemon" / "echod", listeners + config_of(port)))
        first, second = (f"{host}:{listener_port}" for host, listener_port in echod.listeners)

        def load(target: str, *words: str) -> subprocess.Popen[bytes]:
            return stack.enter_context(subprocess.Popen([BUILD / "client" / "echoload", "run", *words, target],
                                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        steady = load(first, "--connections", "400", "--rate", "3k", "--duration", "300s")
        for number, connections in enumerate((60, 160, 100, 220, 40, 180, 120)):
            time.sleep(2 + number % 3)
            bursts = [load(second, "--connections", str(connections), "--rate", "1k", "--duration", "7s"),
                      load(second, "--mode", "connect", "--connections", "8", "--rate", str(connections),
                           "--duration", "5s")]
            for burst in bursts:
                burst.wait()
        browser = stack.enter_context(Browser(str(installed())))
        file.write_bytes(browser.open(f"http://127.0.0.1:{port}/", 1320).picture())
        steady.terminate()


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".png"):
        make_picture(Path(sys.argv[1]))
        sys.exit()
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    if not installed():
        print(f"not possible here: {NO_BROWSER}")
        sys.exit(SKIPPED)
