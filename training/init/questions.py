"""Ask on a terminal what somebody wants: five questions, each with a default, and one to confirm.

A wrong answer is told with what would work, and asked again. Nothing is written here, so Ctrl-C
leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from data.errors import DataError
from data.prices import PriceTable
from router.engine import Router
from router.errors import RouterError

from ..errors import TrainingError
from .build import check_out
from .known import known_arms
from .wishes import Wishes, chosen, read_like, read_names, read_price, resolved
from .words import knowledge, table, wrapped

T = TypeVar("T")


def ask(router: Router, out: Path, *, force: bool) -> tuple[Wishes, Path]:
    """The wishes, resolved, and the folder to write.

    Raises:
        click.Abort: whoever is asked leaves.
    """
    say(knowledge(router))
    wishes = _models(router)
    say(("", "These are yours:"))
    arms = {router.arm_ids[i] for i in _kept(router, wishes)}
    say(table([arm for arm in known_arms(router) if arm.info.arm.id in arms], families=False))
    wishes = _asked(
        "3. Your own names for them, as MINE=MODEL",
        "as they are",
        lambda text: _checked(router, replace(wishes, names=read_names(text.split()))),
        wishes,
    )
    wishes = _asked(
        "4. Your prices in dollars per million tokens, as MODEL=IN:OUT, or a CSV file",
        "as listed",
        lambda text: _checked(router, _with_prices(wishes, text)),
        wishes,
    )
    out = _asked("5. Folder to write", str(out), lambda text: _free(Path(text), force=force), None)
    if _line(f"\nWrite {out}? [Y/n]: ").casefold() not in ("", "y", "yes"):
        raise click.Abort
    return resolved(router, wishes), out


def _models(router: Router) -> Wishes:
    """Which models, known and unknown; asked again until a choice is left between them."""
    while True:
        wishes = _asked(
            "1. Which of these do you have? Names or wildcards, such as gpt-* llama-*",
            "all",
            lambda text: Wishes(patterns=_patterns(router, text)),
            Wishes(),
        )
        wishes = _asked(
            "2. Models of yours that it does not know, as MINE=MODEL that each is like",
            "none",
            lambda text, w=wishes: replace(w, likes=tuple(map(read_like, text.split()))),  # type: ignore[misc]
            wishes,
        )
        try:
            return _checked(router, wishes)
        except TrainingError as err:
            say(wrapped(str(err), "   "))


def _asked(question: str, default: str, read: Callable[[str], T], empty: T | None) -> T:
    """Ask until the answer can be read.

    Args:
        question: in a line.
        default: what an empty answer means, in words.
        read: makes something of an answer.
        empty: the value of the default; null reads the default's own text.
    """
    while True:
        text = _line(f"\n{question}\n  [{default}]: ")
        if not text and empty is not None:
            return empty
        try:
            return read(text or default)
        except (TrainingError, DataError, RouterError) as err:
            say(wrapped(str(err), "   "))


def _line(question: str) -> str:
    """What is typed, stripped.

    Looks for it five times a second: Ctrl-C may reach any thread, and only a main thread that is
    awake heeds it.

    Raises:
        click.Abort: the input has ended.
    """
    click.echo(question, nl=False)
    while os.name != "nt" and not select.select([sys.stdin], [], [], 0.2)[0]:
        pass
    text = sys.stdin.readline()
    if not text:
        raise click.Abort
    return text.strip()


def _checked(router: Router, wishes: Wishes) -> Wishes:
    resolved(router, wishes)
    return wishes


def _patterns(router: Router, text: str) -> tuple[str, ...]:
    found = tuple(re.split(r"[\s,]+", text.strip(" ,")))
    if found == ("all",):
        return ()
    chosen(router, found)
    return found


def _kept(router: Router, wishes: Wishes) -> tuple[int, ...]:
    return chosen(router, wishes.patterns).kept


def _with_prices(wishes: Wishes, text: str) -> Wishes:
    if "=" in text:
        return replace(wishes, own_prices=tuple(map(read_price, text.split())))
    return replace(wishes, prices=PriceTable.load(Path(text)))


def _free(out: Path, *, force: bool) -> Path:
    check_out(out, force=force)
    return out


def say(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line)
