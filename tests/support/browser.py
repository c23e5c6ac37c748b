"""A headless Chromium that a Python test uses to look at a page.

It is controlled over a pair of pipes by the Chrome DevTools Protocol: JSON messages, each followed by a NUL byte.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


class Page:
    """A file as the browser shows it, `width` pixels wide. The page is loaded when the constructor returns.

    `complaints`: the exceptions and log messages of the page. `requests`: every address that the page requested.
    """

    def __init__(self, browser: "Browser", file: Path, width: int, scheme: str):
        self._browser = browser
        self._width = width
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScrollbarsHidden", hidden=True)  # They would change the width of the page.
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=file.resolve().as_uri())
        browser.wait_for("Page.loadEventFired", self._session)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

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

    def open(self, file: Path, width: int = 1000, scheme: str = "light") -> Page:
        """Opens a file in a new page. `scheme`: "light" or "dark"."""
        return Page(self, file, width, scheme)

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

    def wait_for(self, method: str, session: str) -> None:
        def has_come() -> bool:
            return any(event["method"] == method and event.get("sessionId") == session for event in self.events)
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
