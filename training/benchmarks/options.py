"""What every comparison of labels and battles is asked for, as options of its command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..prepare.cache import CACHE

Command = Callable[..., Any]

PATH = click.Path(path_type=Path)
BEFORE: tuple[Callable[[Command], Command], ...] = (
    click.option("--data", "data_path", type=PATH, required=True),
    click.option("--prompts", type=PATH, required=True),
    click.option("--pairs", type=PATH, help="Preferences between two arms."),
    click.option("--derive", type=click.IntRange(min=1), help="Battles per prompt, of outcomes."),
)
AFTER: tuple[Callable[[Command], Command], ...] = (
    click.option("--config", "config_path", type=PATH),
    click.option("--cache", type=PATH, default=CACHE, show_default=True),
    click.option("--seed", default=0, show_default=True),
    click.option("--json", "json_path", type=PATH, help="Write every figure here."),
)


def comparison(*own: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """The common options, with a command's `own` between what is read and what is written."""

    def decorate(command: Command) -> Command:
        for option in reversed((*BEFORE, *own, *AFTER)):
            command = option(command)
        return command

    return decorate
