"""The code of a Markdown page: its fenced blocks, in order."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the file name in its title, if it has one."""

    language: str
    text: str
    title: str


def blocks(path):
    """Return the fenced blocks of a page; every fence says its language."""
    found = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', path.read_text(encoding="utf-8"), re.S | re.M)
    fences = len(re.findall(r"^```", path.read_text(encoding="utf-8"), re.M))
    assert fences == 2 * len(found), f"{path}: a fence without language"
    return [Block(language, text, title) for language, title, text in found]


def pages():
    """Return the pages of docs/ in the order of the site."""

    def walk(entry):
        match entry:
            case str():
                yield entry
            case dict():
                for value in entry.values():
                    yield from walk(value)
            case list():
                for value in entry:
                    yield from walk(value)

    named = [DOCS / name for name in walk(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])]
    return [path for path in named if path.exists()]  # the others are made when the site is built
