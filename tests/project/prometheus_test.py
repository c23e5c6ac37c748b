"""A real Prometheus scrapes a real echod while clients use it, and its queries give what the clients know to be true.

$ECHOD_BUILD_DIR is the build directory of the programs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from echod_process import EchodProcess, wait_until
from stream_sockets import connect, reset, reserved_port

BUILD = Path(os.environ["ECHOD_BUILD_DIR"])
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
SKIPPED = 77  # The exit code of a skipped test, see tests/CMakeLists.txt.
NO_PROMETHEUS = "prometheus is not installed (scripts/test --all installs it)"
SCRAPES_EVERY_S = 0.25


class Prometheus:
    """A Prometheus with the configuration of docs/monitoring, which scrapes `target` instead of the one named there."""

    def __init__(self, target: str, port: int):
        self._directory = tempfile.TemporaryDirectory(prefix="echod-test-")
        self._address = f"127.0.0.1:{port}"
        folder = Path(self._directory.name)
        text = (FOLDER / "prometheus.yml").read_text("utf-8")
        text = text.replace("localhost:9862", target).replace(": 15s", f": {int(1000 * SCRAPES_EVERY_S)}ms")
        (folder / "prometheus.yml").write_text(text, "utf-8")
        shutil.copy(FOLDER / "alerts.yml", folder)
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--web.listen-address={self._address}",
             f"--storage.tsdb.path={folder}/data"], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        wait_until("Prometheus to be ready", self._is_ready)
        wait_until("the first scrape, which is 5 s later", lambda: self.query("up == 1"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self._directory.cleanup()

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError((Path(self._directory.name) / "log").read_text("utf-8", "replace"))
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> dict[str, float]:
        """The values by the values of their labels, joined by spaces in the order of the labels' names."""
        return {" ".join(value for name, value in sorted(one["metric"].items()) if name != "__name__"):
                float(one["value"][1]) for one in self.get("query", query=expression)["result"]}

    def wait_for(self, expression: str, expected: dict[str, float]) -> None:
        """Waits until a scrape has brought these values."""
        last: dict[str, float] = {}

        def is_so() -> bool:
            nonlocal last
            last = self.query(expression)
            return last == expected
        try:
            wait_until(expression, is_so, 20, most_pause_s=SCRAPES_EVERY_S)
        except Exception as error:
            raise AssertionError(f"{expression}: {last} is not {expected}") from error


@unittest.skipUnless(shutil.which("prometheus"), NO_PROMETHEUS)
class PrometheusTest(unittest.TestCase):
    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        admin_port = stack.enter_context(reserved_port())
        config = ("workers = 2\n"
                  "[timeouts]\nlinger_s = 60\ndrain_s = 60\n"
                  '[[listen]]\naddress = "127.0.0.1"\nport = 0\n'
                  '[[listen]]\naddress = "127.0.0.2"\nport = 0\n'
                  '[[listen]]\nprotocol = "udp"\naddress = "127.0.0.1"\nport = 0\n'
                  f'[admin]\nsocket = ""\naddress = "127.0.0.1"\nport = {admin_port}\n')
        self.echod = stack.enter_context(EchodProcess(BUILD / "daemon" / "echod", config))
        self.target = f"127.0.0.1:{admin_port}"
        port = stack.enter_context(reserved_port())
        self.prometheus = stack.enter_context(Prometheus(self.target, port))
        self.names = [f"{host}:{port}" for host, port in self.echod.listeners]

    def total(self, expression: str, value: float) -> None:
        self.prometheus.wait_for(f"sum({expression})", {"": value})

    def test_queries_give_what_the_clients_know(self) -> None:
        clients = [connect(self.echod.listeners[0]) for _ in range(5)]
        others = [connect(self.echod.listeners[1]) for _ in range(3)]
        for number, client in enumerate(clients + others):
            client.setblocking(True)
            message = bytes(100 + number)
            client.sendall(message)
            left = len(message)
            while left:
                left -= len(client.recv(left))
        sent = sum(100 + number for number in range(8))

        self.prometheus.wait_for("sum by (listener) (echod_connections)", {self.names[0]: 5, self.names[1]: 3})
        self.prometheus.wait_for("sum by (listener) (echod_listener_connections_accepted_total)",
                                 {self.names[0]: 5, self.names[1]: 3})
        self.total("echod_connections_accepted_total", 8)
        self.total("echod_received_bytes_total", sent)
        self.total("echod_sent_bytes_total", sent)
        self.total("echod_listener_queue_length", 0)
        self.prometheus.wait_for("sum by (worker) (echod_worker_stuck)", {"0": 0, "1": 0})

        for client in clients[:2]:
            client.close()
        reset(others[0])
        connect(self.echod.listeners[0]).close()
        self.prometheus.wait_for("sum by (reason) (echod_connections_closed_total) > 0", {"peer_closed": 3, "reset": 1})
        self.total("echod_connections_empty_total", 1)
        self.total("echod_connections", 5)
        self.prometheus.wait_for("echod_connections_accepted_total - ignoring (x) sum without (reason) "
                                 "(echod_connections_closed_total) - sum without (listener, worker) "
                                 "(echod_connections)", {f"{self.target} echod": 0})
        for client in [*clients, *others]:
            client.close()
        self.echod.stop()

    def test_a_load_of_known_size_is_counted_and_its_rate_is_seen(self) -> None:
        rate, connections, size, duration_s = 500, 4, 64, 7
        words = [BUILD / "client" / "echoload", "run", "--warmup", "0", "--connections", str(connections), "--rate",
                 str(rate), "--duration", f"{duration_s}s", "--size", str(size), f"127.0.0.1:{self.echod.port}"]
        rates = []
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            while load.poll() is None:
                rates += self.prometheus.query("rate(echod_echoes_total[4s])").values()
                time.sleep(SCRAPES_EVERY_S)
        self.assertEqual(load.returncode, 0)
        self.assertTrue(any(abs(seen - rate) < rate / 20 for seen in rates), rates)
        # Before a run, echoload makes one connection and sends one message, to see whether it comes back.
        # A read may return several messages or part of one, so only echod knows how many echoes there were.
        self.total("echod_echoes_total", self.echod.counters()["echoes"])
        self.total("echod_received_bytes_total", (rate * duration_s + 1) * size)
        self.total("echod_connections_accepted_total", connections + 1)
        self.total("echod_connections", 0)
        self.echod.stop()

    def test_reloads_and_a_drain_are_seen(self) -> None:
        config = self.echod.config_file.read_text("utf-8")
        self.echod.allow_log("nonsense", "reload: refused")
        self.echod.reload(config)
        self.prometheus.wait_for("sum by (result) (echod_reloads_total)", {"applied": 1, "refused": 0})
        self.echod.config_file.write_text("nonsense = 1\n", "utf-8")
        self.echod.signal(1)
        self.prometheus.wait_for("sum by (result) (echod_reloads_total)", {"applied": 1, "refused": 1})
        self.prometheus.wait_for('sum by (alertname) (ALERTS{alertstate="firing"})', {"EchodReloadRefused": 1})
        self.echod.reload(config)
        self.total("echod_config_last_reload_successful", 1)

        client = connect(self.echod.listeners[0])
        self.total("echod_connections", 1)
        self.echod.signal(15)
        self.total("echod_draining", 1)
        self.total("echod_ready", 0)
        self.total("echod_healthy", 1)
        self.total("up", 1)
        client.close()
        self.total("up", 0)
        self.assertEqual(self.echod.wait(), 0)

    def test_targets_rules_and_the_queries_of_the_dashboard_work(self) -> None:
        client = connect(self.echod.listeners[0])
        client.setblocking(True)
        for _ in range(2000):
            client.sendall(b"ping")
            client.recv(4)
        scrapes = self.prometheus.query("count_over_time(up[1m])")
        wait_until("four more scrapes, for the rates",
                   lambda: all(count >= scrapes[series] + 4
                               for series, count in self.prometheus.query("count_over_time(up[1m])").items()))
        (target,) = self.prometheus.get("targets")["activeTargets"]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        for rule in self.prometheus.get("rules")["groups"][0]["rules"]:
            self.assertEqual((rule["health"], rule["state"]), ("ok", "inactive"), rule["name"])
        dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
        for panel in dashboard["panels"]:
            for one in panel.get("targets", []):
                expression = one["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
                with self.subTest(panel=panel["title"], query=expression):
                    self.assertTrue(self.prometheus.query(expression))
                    legend = re.findall(r"{{(\w+)}}", one["legendFormat"])
                    for series in self.prometheus.get("query", query=expression)["result"]:
                        self.assertLessEqual(set(legend), set(series["metric"]))
        client.close()
        self.echod.stop()


if __name__ == "__main__":
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    if not shutil.which("prometheus"):
        print(f"not possible here: {NO_PROMETHEUS}")
        sys.exit(SKIPPED)
