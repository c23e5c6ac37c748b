"""Reloads and upgrades in place of the soak's echod. Each one is waited for, and counted by how it must end."""

import random
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import configs
import soak_verdict
from echod_process import Broken, EchodProcess

APPLIED, UPGRADED, REFUSED = "reload: applied", "has replaced echod", soak_verdict.REFUSED
PAUSE = re.compile(r"the pause took (\d+) ms")


class News:
    """What is written to a file from now on."""

    def __init__(self, file: Path):
        self._file = file
        self._from = file.stat().st_size

    def text(self) -> str:
        with self._file.open("rb") as file:
            file.seek(self._from)
            return file.read().decode("utf-8", "replace")

    def has(self, *words: str) -> bool:
        text = self.text()
        return any(word in text for word in words)


class Reloads:
    """`order_upgrade` orders an upgrade on the admin socket. `attend_until` waits for a condition.

    `done` counts reloads: `in_place`, `bad`, `upgrades`, and of these `late_parks`, which failed because a worker did not
    park in time.
    """

    def __init__(self, daemon: EchodProcess, rng: random.Random, order_upgrade: Callable[[], None],
                 attend_until: Callable[[str, Callable[[], bool]], None]):
        self._daemon = daemon
        self._rng = rng
        self._order_upgrade = order_upgrade
        self._attend_until = attend_until
        self._in_place = configs.IN_PLACE_AT_REST
        self._by_upgrade = configs.BY_UPGRADE_AT_REST  # As the running echod has them.
        self.is_upgrading = False  # Then requests to the admin socket are cut.
        self.done: Counter[str] = Counter()
        self.pauses_ms: list[int] = []

    def in_place(self) -> None:
        self._in_place = configs.in_place(self._rng)
        self._end(APPLIED, self._reload(self._text(self._by_upgrade)))
        self.done["in_place"] += 1

    def bad(self) -> None:
        self._end(REFUSED, self._reload(configs.bad(self._rng)))
        self.done["bad"] += 1

    def upgrade(self) -> None:
        """By a reload that changes keys which need it."""
        self._upgrade_to(configs.by_upgrade(self._rng, self._by_upgrade))

    def upgrade_by_order(self) -> None:
        """With a configuration that would need none."""
        self._daemon.config_file.write_text(self._text(self._by_upgrade), encoding="utf-8")
        self.is_upgrading = True
        news = News(self._daemon.stderr_file)
        self._order_upgrade()
        self._end_upgrade(news)

    def rest(self) -> None:
        """Back to the configuration at rest."""
        self._in_place = configs.IN_PLACE_AT_REST
        if self._by_upgrade != configs.BY_UPGRADE_AT_REST:
            self._upgrade_to(configs.BY_UPGRADE_AT_REST)
        self._end(APPLIED, self._reload(configs.at_rest()))
        self.done["in_place"] += 1

    def _upgrade_to(self, keys: configs.Keys) -> None:
        self.is_upgrading = True
        self._end_upgrade(self._reload(self._text(keys)))
        self._by_upgrade = keys

    def _text(self, by_upgrade: configs.Keys) -> str:
        return configs.text(self._in_place, by_upgrade)

    def _reload(self, text: str) -> News:
        self._daemon.config_file.write_text(text, encoding="utf-8")
        news = News(self._daemon.stderr_file)
        self._daemon.signal(signal.SIGHUP)
        return news

    def _end_upgrade(self, news: News) -> None:
        self._end(UPGRADED, news)
        self.done["upgrades"] += 1
        self.pauses_ms += map(int, PAUSE.findall(news.text()))
        self.is_upgrading = False

    def _end(self, wanted: str, news: News) -> None:
        self._attend_until(f"'{wanted}'", lambda: news.has(APPLIED, UPGRADED, REFUSED))
        if not news.has(wanted):
            raise Broken(f"a reload did not end with '{wanted}':\n{news.text()}")
