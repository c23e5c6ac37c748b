"""Measures all servers in all scenarios, in turns, round by round.

In a round each scenario has one run of each server, one after the other, so that figures that are compared were
measured within the same minute. The scenarios with idle connections are compared with each other too, so all their
runs are one group. The order in a group is different in each round, so that no server always follows the same one. The
order is the same when the benchmark is repeated.
"""

import dataclasses
import random
import resource
import sys
import time

import processes
import running
import scenarios
import servers


def open_files():
    """Raises the soft limit of descriptors to the hard limit, and returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def skipped_for_descriptors(wanted, limit):
    """Returns the scenarios that need more descriptors than this machine allows, with the reason."""
    found = []
    for scenario in wanted:
        needed = scenarios.needed_descriptors(scenario)
        if needed > limit:
            why = f"needs {needed} descriptors; the hard limit (ulimit -Hn) is {limit}"
            found.append({"scenario": scenario.name, "why": why})
    return found


def skipped_for_network(wanted, why):
    """Returns the scenarios that need a veth pair. `why`: the reason why there is none; "" if there is one."""
    return [{"scenario": scenario.name, "why": why} for scenario in wanted if why and scenario.network != "loopback"]


def runnable(tools, wanted):
    """Returns the servers that start, and the others with their error."""
    found, missing = [], []
    for server in wanted:
        try:
            with running.serving(tools, server, 1):
                found.append(server)
        except (running.CannotRun, running.Failure) as error:
            missing.append({"server": server.name, "why": str(error)})
    return found, missing


@dataclasses.dataclass(frozen=True)
class Run:
    round: int
    scenario: scenarios.Scenario
    server: servers.Server

    def estimated_s(self, seconds):
        """Estimates the time to start, connect, warm up, measure and close."""
        warmup_s = running.warmup_s(self.scenario) * (3 if self.scenario.client == "floods" else 1)
        return 0.25 + 0.00013 * self.scenario.connections + warmup_s + running.measured_s(self.scenario, seconds)


def group_of(scenario):
    """Returns the group of a scenario. Those with idle connections are one group; each other one is its own."""
    return scenario.family if scenario.family == "idle" else scenario.name


def plan(rounds, wanted_scenarios, wanted_servers, is_quick):
    groups = {}
    for scenario in wanted_scenarios:
        present = [server for server in wanted_servers if servers.takes_part(server, scenario, is_quick)]
        groups.setdefault(group_of(scenario), []).extend((scenario, server) for server in present)
    runs = []
    for number in range(rounds):
        for name, pairs in groups.items():
            shuffled = random.Random(f"{number} {name}").sample(pairs, len(pairs))
            runs += [Run(number, *pair) for pair in shuffled]
    return runs


class Progress:
    """Shows the progress: one line on a terminal, else a line for each group."""

    def __init__(self, runs, rounds, seconds):
        self._rounds = rounds
        self._seconds = seconds
        self._estimated_left_s = sum(run.estimated_s(seconds) for run in runs)
        self._estimated_done_s = 0.0
        self._begin = time.monotonic()
        self._last = None

    def left_s(self):
        elapsed = time.monotonic() - self._begin
        # At first there is only the estimate.
        pace = elapsed / self._estimated_done_s if self._estimated_done_s > 20 else 1
        return self._estimated_left_s * pace

    def show(self, run):
        left = round(self.left_s())
        where = f"round {run.round + 1} of {self._rounds}, {left // 60}:{left % 60:02} left"
        group = group_of(run.scenario)
        if sys.stderr.isatty():
            name = f"{run.scenario.name}: {run.server.name}"
            print(f"\r\033[K{where}: {name}", end="", file=sys.stderr, flush=True)
        elif self._last != (run.round, group):
            print(f"{where}: {group}", file=sys.stderr, flush=True)
        self._last = (run.round, group)

    def done(self, run):
        self._estimated_left_s -= run.estimated_s(self._seconds)
        self._estimated_done_s += run.estimated_s(self._seconds)


def say(text):
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}bench: {text}", file=sys.stderr, flush=True)


def measure(tools, runs, rounds, results, after_round):
    """Makes the runs and adds them to the results. Calls `after_round` whenever a round is complete."""
    progress = Progress(runs, rounds, tools.seconds)
    say(f"{len(runs)} runs, about {round(progress.left_s() / 60)} minutes")
    for index, run in enumerate(runs):
        progress.show(run)
        entry = {"round": run.round, "scenario": run.scenario.name, "server": run.server.name}
        begin_at, stolen_s, others_s = time.monotonic(), processes.stolen_s(), processes.others_s()
        try:
            entry.update(running.run(tools, run.server, run.scenario))
            elapsed_s = time.monotonic() - begin_at
            entry["stolen"] = round((processes.stolen_s() - stolen_s) / elapsed_s, 4)
            if not run.server.forks:  # Its last children were killed with it, so their time is not known.
                entry["others"] = round(max(0, processes.others_s() - others_s) / elapsed_s, 4)
        except (running.Failure, running.CannotRun) as error:
            entry["failure"] = str(error)
            say(f"{run.scenario.name}: {run.server.name}: {error}")
        results.runs.append(entry)
        progress.done(run)
        if index + 1 == len(runs) or runs[index + 1].round != run.round:
            results.about["rounds"] = run.round + 1
            after_round()
