"""Formats the results as a table."""

from scenario_run import Bound, Result

HEAD = ("scenario", "memory KiB (bound)", "CPU s (bound)", "us/event", "held % (bound)", "rest % (bound)", "pings",
        "worst ms", "verdict")


def verdict(result: Result) -> str:
    if result.failures:
        return "FAILED"
    return "skipped" if result.skipped else "ok"


def row(result: Result) -> tuple[str, ...]:
    return (result.name, bound(result.memory_kib, ".0f"), bound(result.cpu_s, ".2f"),
            f"{result.cpu_us_per_event:.1f}" if result.cpu_us_per_event else "-",
            bound(result.held_share, ".2f", 100), bound(result.rest_share, ".2f", 100),
            str(result.pings.pings), f"{result.pings.worst_s * 1000:.0f}", verdict(result))


def bound(value: Bound | None, form: str, factor: float = 1) -> str:
    return f"{value.most * factor:{form}} ({value.bound * factor:{form}})" if value else "-"


def render(results: list[Result]) -> str:
    rows = [HEAD, *(row(result) for result in results)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
    lines = []
    for cells, result in zip(rows, [None, *results]):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
        if result:
            lines += details(result)
    return "\n".join(["", *lines, ""])


def details(result: Result) -> list[str]:
    lines = []
    if result.events:
        lines.append(f"    did: {'; '.join(result.events)}")
    if result.counters:
        lines.append("    counters: " + " ".join(f"{name}={value}" for name, value in result.counters.items()))
    if result.skipped:
        lines.append(f"    {result.skipped}")
    lines += [f"    FAILED: {line}" for failure in result.failures for line in failure.splitlines()]
    return lines + [f"    said: {line}" for line in result.said]
