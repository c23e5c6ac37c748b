"""Stores the figures of all runs, and compares figures of the same round."""

import dataclasses
import json
import statistics

# By chance alone, one of two equal figures is higher in all n rounds in 2 of 2^n cases. With fewer rounds than this,
# too many verdicts would be due to chance.
ENOUGH_ROUNDS = 5


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The ratios of two figures in the same rounds: their median, minimum and maximum."""

    median: float
    low: float
    high: float
    rounds: int

    @staticmethod
    def of(pairs):
        """Makes a ratio of pairs (numerator, denominator). Returns None if no pair is complete."""
        ratios = [mine / other for mine, other in pairs if mine and other]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None

    @property
    def is_tie(self):
        return self.rounds >= ENOUGH_ROUNDS and self.low <= 1 <= self.high

    def at_most(self, bound):
        """Returns "met" or "MISS" if that holds in all rounds, else "tie"; or "too few rounds"."""
        return self._verdict(self.high <= bound, self.low > bound)

    def at_least(self, bound):
        return self._verdict(self.low >= bound, self.high < bound)

    def _verdict(self, is_met, is_missed):
        if self.rounds < ENOUGH_ROUNDS:
            return "too few rounds"
        return "met" if is_met else "MISS" if is_missed else "tie"

    def __str__(self):
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclasses.dataclass
class Results:
    """The content of results.json. A run has round, scenario, server, and either figures or the reason of a failure."""

    about: dict = dataclasses.field(default_factory=dict)
    servers: list = dataclasses.field(default_factory=list)
    scenarios: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    runs: list = dataclasses.field(default_factory=list)
    system_calls: list = dataclasses.field(default_factory=list)
    curves: list = dataclasses.field(default_factory=list)

    def save(self, path):
        """Writes one run on a line. Replaces the file at once, so that it is never incomplete."""
        parts = []
        for key, value in dataclasses.asdict(self).items():
            if isinstance(value, list):
                text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
            else:
                text = json.dumps(value, indent=1)
            parts.append(f"{json.dumps(key)}: {text}")
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text("{\n" + ",\n".join(parts) + "\n}\n")
        unfinished.rename(path)

    @staticmethod
    def load(path):
        return Results(**json.loads(path.read_text()))

    def server(self, name):
        return next((server for server in self.servers if server["name"] == name), None)

    def scenarios_of(self, *families):
        """Returns the scenarios of these families that have runs."""
        measured = {run["scenario"] for run in self.runs}
        return [item for item in self.scenarios if item["name"] in measured and item["family"] in families]

    def servers_in(self, scenario):
        """Returns the names of the servers that have runs in a scenario, in the order of `servers`."""
        present = {run["server"] for run in self.runs if run["scenario"] == scenario}
        return [server["name"] for server in self.servers if server["name"] in present]

    def correct_peers_in(self, scenario):
        return [name for name in self.servers_in(scenario) if self.server(name)["is_correct_peer"]]

    def failures(self, scenario, server):
        return [run["failure"] for run in self._runs_of(scenario, server) if run.get("failure")]

    def failed(self, scenario, server):
        """Returns how often a server failed, as text; "" if it did not."""
        failures, runs = self.failures(scenario, server), self._runs_of(scenario, server)
        return f"{server} failed in {len(failures)} of {len(runs)} rounds" if failures else ""

    def by_round(self, scenario, server, figure):
        """Returns the figure of each round, for runs that succeeded and have it."""
        runs = [run for run in self._runs_of(scenario, server) if not run.get("failure")]
        return {run["round"]: run[figure] for run in runs if run.get(figure) is not None}

    def median(self, scenario, server, figure):
        return median(self.by_round(scenario, server, figure).values())

    def ratio(self, figure, mine, other):
        """Returns the ratio of two (scenario, server), by round. None if they have no round in common."""
        mine_by_round = self.by_round(*mine, figure)
        other_by_round = self.by_round(*other, figure)
        return Ratio.of((value, other_by_round.get(number)) for number, value in mine_by_round.items())

    def best_peer(self, scenario, figure, best=min, among=None):
        """Returns the correct peer with the lowest median, or the highest if `best` is max. `among`: only these."""
        names = self.correct_peers_in(scenario) if among is None else among
        medians = {name: self.median(scenario, name, figure) for name in names}
        medians = {name: value for name, value in medians.items() if value is not None}
        return best(medians, key=medians.get) if medians else None

    def _runs_of(self, scenario, server):
        return [run for run in self.runs if run["scenario"] == scenario and run["server"] == server]
