"""Everyday prompts to ask a bundle about: of open instruction sources, and in our own words."""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from data.read import read_table
from data.tables import Tables

from ..methods.base import spaced

T = TypeVar("T")
FOLDER = Path(__file__).parent
LISTS, QUESTIONS = FOLDER / "ordinary.toml", FOLDER / "languages.json"
OPEN = ("chat", "writing", "sensitive request")  # kinds of work that anybody might type
LANGUAGES = ("en", "ja", "zh", "de", "fr", "es")
COUNT = 200
OURS = "our own"
_SCRIPTS = (("ja", "\u3040-\u30ff"), ("ko", "\uac00-\ud7af"), ("zh", "\u4e00-\u9fff"))
_WORDS = {
    "en": "the of and to is in a what how for with that your you write are",
    "de": "der die das und ist ein eine wie ich nicht mit für den auf zu",
    "fr": "le la les des et est un une comment pour dans que qui avec sur",
    "es": "el la los las de y es un una cómo para que con por del",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt, its language, and where it comes from."""

    text: str
    language: str
    origin: str


def lists() -> dict[str, list[str]]:
    """Our own prompts by what they should get."""
    found: dict[str, list[str]] = tomllib.loads(LISTS.read_text("utf-8"))
    return found


def questions(path: Path = QUESTIONS) -> dict[str, list[str]]:
    """The same questions by language, in one order."""
    found: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
    if len({len(texts) for texts in found.values()}) > 1 or "en" not in found:
        raise ValueError(f"{path} must hold equally many questions in each language, en among them")
    return found


def language_of(text: str) -> str:
    """The language of a prompt by its script, else by its small words; "other" where neither says.

    >>> language_of("What is the time?"), language_of("Wie spät ist es?"), language_of("何時ですか")
    ('en', 'de', 'ja')
    """
    for name, letters in _SCRIPTS:
        if re.search(f"[{letters}]", text):
            return name
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {name: sum(w in known.split() for w in words) for name, known in _WORDS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else "other"


def open_prompts(tables: Tables, count: int = COUNT) -> list[Prompt]:
    """Prompts of the open instruction sources' test splits, evenly in six languages.

    Where the sources have too few in a language, our own questions in it fill up.
    """
    asked = tables.prompts.filter(pl.col("split") == "test").sort("prompt_id")
    if "kind" in asked.columns:
        asked = asked.filter(pl.col("kind").is_in(OPEN))
    by_language: dict[str, dict[str, Prompt]] = defaultdict(dict)
    for text, source in asked.select("prompt", "source").iter_rows():
        name = language_of(text)
        by_language[name].setdefault(text, Prompt(text=text, language=name, origin=source))
    own, picked = questions(), []
    for i, name in enumerate(LANGUAGES):
        wanted = (count + len(LANGUAGES) - 1 - i) // len(LANGUAGES)
        found = _some(list(by_language[name].values()), wanted)
        filled = _some(own[name], wanted - len(found))
        picked += [*found, *(Prompt(text=t, language=name, origin=OURS) for t in filled)]
    return picked


def read_prompts(path: Path) -> list[Prompt]:
    """Prompts of a table with `prompt` and maybe `language`."""
    table = read_table(path)
    texts = table["prompt"].to_list()
    known = "language" in table.columns
    told: Iterable[str] = table["language"].to_list() if known else map(language_of, texts)
    return [
        Prompt(text=text, language=name, origin=path.stem)
        for text, name in zip(texts, told, strict=True)
    ]


def _some(items: Sequence[T], count: int) -> list[T]:
    return [items[i] for i in spaced(len(items), max(count, 0), seed=0)]
