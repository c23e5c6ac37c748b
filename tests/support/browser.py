"""A headless Chromium that a Python test uses to look at a page.

It is controlled over a pair of pipes by the Chrome DevTools Protocol: JSON messages, each followed by a NUL byte.
"""

import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def pixels(png: bytes) -> list[tuple[int, ...]]:
    """Decodes a PNG with 8 bits a channel (RFC 2083) into pixels."""
    width, height, _, colour = struct.unpack(">IIBB", png[16:26])
    channels = {2: 3, 6: 4}[colour]
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place:place + 8])
        data += png[place + 8:place + 8 + length] if kind == b"IDAT" else b""
        place += length + 12
    raw, stride = zlib.decompress(data), width * channels
    above, found = bytearray(stride), []
    for row in range(height):
        start = row * (stride + 1)
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + stride])
        for i in range(stride):
            left, up, corner = (line[i - channels] if i >= channels else 0, above[i],
                                above[i - channels] if i >= channels else 0)
            paeth = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            line[i] = (line[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 0xFF
        found += [tuple(line[i:i + 3]) for i in range(0, stride, channels)]
        above = line
    return found


def expect_charts(case: unittest.TestCase, png: bytes, scheme: str) -> None:
    """The picture of a page is not blank, is light or dark as `scheme` says, and shows the blue lines of charts."""
    seen = pixels(png)
    ground = seen[0]
    case.assertEqual(min(ground) > 200, scheme == "light", ground)
    case.assertEqual(max(ground) < 60, scheme == "dark", ground)
    case.assertGreater(len(set(seen)), 100)
    blue = [pixel for pixel in seen if pixel[2] > pixel[0] + 60]
    case.assertGreater(len(blue), len(seen) / 1000, "the lines of the charts")


class Page:
    """A file or an address as the browser shows it, `width` pixels wide. It is loaded when the constructor returns.

    `complaints`: the exceptions and log messages of the page. `requests`: every address that the page requested.
    """

    def __init__(self, browser: "Browser", target: Path | str, width: int, scheme: str):
        self._browser = browser
        self._width = width
        window = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=window, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScrollbarsHidden", hidden=True)  # They would change the width of the page.
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=target.resolve().as_uri() if isinstance(target, Path) else target)
        browser.wait_for("Page.loadEventFired", self._session)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def wait_for_load(self, times: int) -> None:
        """Waits until the page was loaded so often: more than once if it refreshes itself."""
        self._browser.wait_for("Page.loadEventFired", self._session, times)

    def value_of(self, script: str) -> Any:
        """Evaluates a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    @property
    def complaints(self) -> list[dict[str, Any]]:
        return self._events("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")

    @property
    def requests(self) -> list[str]:
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def picture(self, scale: float = 1, height: float | None = None) -> bytes:
        """Returns a PNG of the page, or of its top `height` pixels."""
        height = height or self.value_of("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": self._width, "height": height, "scale": scale}
        data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        return base64.b64decode(data)

    def _events(self, *methods: str) -> list[dict[str, Any]]:
        self.value_of("0")  # All events that came before this answer are read now.
        return [event["params"] for event in self._browser.events
                if event["method"] in methods and event.get("sessionId") == self._session]


class Browser:
    def __init__(self, program: str):
        self.events: list[dict[str, Any]] = []
        self._calls = 0
        self._directory = tempfile.mkdtemp(prefix="echod-browser-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # The browser reads from descriptor 3 and writes to 4. --no-sandbox: the sandbox does not work as root, and
        # the page is our own.
        words = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                 f"--user-data-dir={self._directory}"]
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(["bash", "-c", shell, "browser", *words], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                         pass_fds=(theirs_in, theirs_out))
        os.close(theirs_in)
        os.close(theirs_out)
        self._in = os.fdopen(ours_in, "rb")
        self._out = os.fdopen(ours_out, "wb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._out.close()  # The browser ends.
        self._process.wait()
        self._in.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def open(self, target: Path | str, width: int = 1000, scheme: str = "light") -> Page:
        """Opens a file, or the address of a page, in a new page. `scheme`: "light" or "dark"."""
        return Page(self, target, width, scheme)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        self._out.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def wait_for(self, method: str, session: str, times: int = 1) -> None:
        def has_come() -> bool:
            came = [event for event in self.events
                    if event["method"] == method and event.get("sessionId") == session]
            return len(came) >= times
        while not has_come():
            self._next()

    def _next(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            message += byte
        parsed = json.loads(message)
        if "method" in parsed:
            self.events.append(parsed)
        return parsed
