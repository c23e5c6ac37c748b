#!/usr/bin/env python3
"""Writes the sections about keys in echod.toml(5) from the comments of config/echod.toml, so that there is one source.

Usage: write_keys.py [--check]. With --check it only compares, and exits with 1 if the page is out of date.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config/echod.toml"
PAGE = ROOT / "docs/man/echod.toml.5"
BEGIN, END = ".SS Before the first section\n", ".SH FILES\n"


def formatted(text: str, keys: set[str]) -> str:
    """A sentence in the markup of man(7)."""
    def code(match: re.Match[str]) -> str:
        return r"\(oq" + match[1].replace("-", r"\-") + r"\(cq"

    text = re.sub(r'["`]([^"`]*)["`]', code, text)
    text = re.sub(r"(?<![\w/.])echod(?![\w.(])", r"\\fBechod\\fR(8)", text)
    text = re.sub(r"(?<![\w\\])(\w+)(\(\d\))", lambda m: m[0] if m[1] == "fR" else rf"\fB{m[1]}\fR{m[2]}", text)
    text = re.sub(r"\b(?:net|fs)(?:\.\w+)+|(?<!\w)/\w[\w/.]*\w", r"\\fI\g<0>\\fR", text)
    text = re.sub(r"\$?((?<![\w\\])[A-Z]+(?:_[A-Z]+)+\b|\b[A-Z]\w+=|\bSIG[A-Z]+\d?)", r"\\fB\1\\fR", text)
    names = "|".join(sorted(keys, key=len, reverse=True))
    return re.sub(rf"(?<![\w.\\])(?:{names})(?![\w=]|\.\w)", r"\\fB\g<0>\\fR", text)


def paragraphs(lines: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line:
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def description(comment: list[str], separator: str, keys: set[str]) -> str:
    """The text of a comment, with a sentence on each line and `separator` between paragraphs."""
    return f"{separator}\n".join(
        "".join(formatted(sentence, keys) + "\n" for sentence in re.split(r"(?<=\.)\s+", " ".join(part)))
        for part in paragraphs(comment))


def key_sections() -> str:
    text = CONFIG.read_text(encoding="utf-8")
    keys = {name for name in re.findall(r"^(\w+) = ", text, re.MULTILINE) if "_" in name} | {"v6only"}
    out = [BEGIN]
    comment: list[str] = []
    for line in text.split("\n\n\n", 1)[1].splitlines():
        if line.startswith("#"):
            comment.append(line[1:].strip())
        elif line.startswith("["):
            out.append(f".SS {line}\n")
            out.append(description(comment, ".PP", keys))
            comment = []
        elif " = " in line:
            allowed = comment.pop()
            out.append(f".TP\n.B {line.split(' = ')[0]}\n")
            out.append(description(comment, ".IP", keys))
            out.append(".IP\n" + allowed.replace("-", "\\-") + "\n")
            comment = []
        elif comment:
            comment.append("")
    return "".join(out)


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN, 1)
    written = head + key_sections() + END + rest.split(END, 1)[1]
    if "--check" in sys.argv[1:]:
        if written != page:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run docs/man/write_keys.py", file=sys.stderr)
        return int(written != page)
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
