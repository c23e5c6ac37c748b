"""The figures of all runs, how they are kept, and how figures of the same round are compared."""

import dataclasses
import json
import statistics

# By chance alone a figure lies on one and the same side of another in all n rounds in 2 of 2^n cases. With
# fewer rounds than these the verdicts would be full of such.
ENOUGH_ROUNDS = 5


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Of figures that belong together because they are of the same round."""

    median: float
    low: float
    high: float
    rounds: int

    @staticmethod
    def of(pairs):
        """Of (numerator, denominator); None if there is no pair of both."""
        ratios = [mine / other for mine, other in pairs if mine and other]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None

    @property
    def is_tie(self):
        return self.rounds >= ENOUGH_ROUNDS and self.low <= 1 <= self.high

    def at_most(self, bound):
        """met or MISS, if it is so in all rounds; tie, if it is not; or too few rounds."""
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
    """As in results.json. A run has round, scenario, server, and either figures or why it failed."""

    about: dict = dataclasses.field(default_factory=dict)
    servers: list = dataclasses.field(default_factory=list)
    scenarios: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    runs: list = dataclasses.field(default_factory=list)
    system_calls: list = dataclasses.field(default_factory=list)
    curves: list = dataclasses.field(default_factory=list)

    def save(self, path):
        """One run a line, and never half a file."""
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
        """Those that have runs."""
        measured = {run["scenario"] for run in self.runs}
        return [item for item in self.scenarios if item["name"] in measured and item["family"] in families]

    def servers_in(self, scenario):
        """The names of those that have runs in it, in the order in which they were named."""
        present = {run["server"] for run in self.runs if run["scenario"] == scenario}
        return [server["name"] for server in self.servers if server["name"] in present]

    def correct_peers_in(self, scenario):
        return [name for name in self.servers_in(scenario) if self.server(name)["is_correct_peer"]]

    def failures(self, scenario, server):
        return [run["failure"] for run in self._runs_of(scenario, server) if run.get("failure")]

    def failed(self, scenario, server):
        """In words; "" if it never did."""
        failures, runs = self.failures(scenario, server), self._runs_of(scenario, server)
        return f"{server} failed in {len(failures)} of {len(runs)} rounds" if failures else ""

    def by_round(self, scenario, server, figure):
        """Round to the figure, of runs that succeeded and have it."""
        runs = [run for run in self._runs_of(scenario, server) if not run.get("failure")]
        return {run["round"]: run[figure] for run in runs if run.get(figure) is not None}

    def median(self, scenario, server, figure):
        return median(self.by_round(scenario, server, figure).values())

    def ratio(self, figure, mine, other):
        """Of (scenario, server) to another, by round; None if they share none."""
        mine_by_round = self.by_round(*mine, figure)
        other_by_round = self.by_round(*other, figure)
        return Ratio.of((value, other_by_round.get(number)) for number, value in mine_by_round.items())

    def best_peer(self, scenario, figure, best=min):
        """The correct peer of the lowest median, or with `max` of the highest."""
        medians = {name: self.median(scenario, name, figure) for name in self.correct_peers_in(scenario)}
        medians = {name: value for name, value in medians.items() if value is not None}
        return best(medians, key=medians.get) if medians else None

    def _runs_of(self, scenario, server):
        return [run for run in self.runs if run["scenario"] == scenario and run["server"] == server]
