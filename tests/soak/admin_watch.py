"""An operator's tools during a soak: they probe, scrape and list connections again and again."""

import re
from collections import Counter

import admin_requests
import configs
from echod_process import Broken

MOST_LISTED = 1000
# Samples that never become smaller, also across upgrades in place.
TOTAL = re.compile(r"_total|^echod_server_delay_seconds_(bucket|count|sum)")
# With another number of workers, the first one has the counts of all earlier ones.
BEGINS_ANEW = re.compile(rf'worker="|listener="{re.escape(configs.FURTHER_ADDRESS)}:|^echod_admin_')


class AdminWatch:
    """Asks the admin socket at `path`. What is wrong with the answers is in `faults`."""

    def __init__(self, path: str):
        self._path = path
        self._last: dict[str, float] = {}
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()

    def look(self) -> None:
        """Does what tools do each second. echod must not be stopped meanwhile."""
        if (health := admin_requests.ask(self._path, "/healthz")).status != 200:
            self.faults.append(f"/healthz: {health.status} {health.body.strip()}")
        self.scrape()
        listed = self._get(f"/connections?sort=owed&limit={MOST_LISTED}").json()
        self.counts["lists"] += 1
        self.counts["listed"] += len(listed["connections"])
        self.counts["silent_workers"] += len(listed["silent_workers"])
        if len(listed["connections"]) != min(listed["total"], MOST_LISTED):
            self.faults.append(f"{len(listed['connections'])} of {listed['total']} connections were listed")

    def scrape(self) -> dict[str, float]:
        """Returns the samples of /metrics by name and labels. No total may have become smaller, except for those
        that an upgrade in place does not carry over: of single workers, of the listener that comes and goes, and of the
        admin thread.
        """
        samples = parse(self._get("/metrics").body)
        self.counts["scrapes"] += 1
        self.faults += [f"{name} was {value:.0f} and is {samples.get(name)}" for name, value in self._last.items()
                        if TOTAL.search(name) and not BEGINS_ANEW.search(name) and samples.get(name, -1.0) < value]
        self._last = samples
        return samples

    def status_counters(self) -> dict[str, int]:
        counters: dict[str, int] = self._get("/status").json()["counters"]
        return counters

    def drain(self) -> None:
        self._order("/drain")

    def upgrade(self) -> None:
        """As `echoctl upgrade --force`. Returns before the upgrade begins."""
        self._order("/upgrade?force=true")

    def _order(self, target: str) -> None:
        if (answer := admin_requests.ask(self._path, target, "POST")).status != 202:
            raise Broken(f"POST {target}: {answer}")

    def _get(self, target: str) -> admin_requests.Answer:
        answer = admin_requests.ask(self._path, target)
        if answer.status != 200:
            raise Broken(f"{target}: {answer}")
        return answer


def parse(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}
