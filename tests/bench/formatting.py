"""Formats figures and tables for the report."""


def number(value, decimals=1):
    return "-" if value is None else f"{value:,.{decimals}f}".replace(",", " ")


def whole(value):
    return number(value, 0)


def mib(size):
    return "-" if size is None else f"{number(size / 2**20)} MiB"


def gib(size):
    return f"{size / 2**30:.1f} GiB"


def significant(value):
    """Formats with three significant digits."""
    if value is None:
        return "-"
    return number(value, 2 if value < 10 else 1 if value < 100 else 0)


def percent(value):
    return "-" if value is None else f"{value * 100:.0f} %"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
