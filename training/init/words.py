"""What `tierwise init` says: what a bundle knows, and what was made of it. 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from router.core.bundle import BESIDE
from router.engine import Router

from .build import BUNDLE
from .catalogue_text import WIDTH
from .known import Known, kinds_of, known_arms, rows_of

HEAD = ("model", "$ per 1M in / out", "quality", "known by")
MOST_KINDS = 12
MUCH = 0.9  # of the outcomes that another arm has of a kind of work


def knowledge(router: Router) -> Iterator[str]:
    """What a bundle knows: its arms by family and tier, with prices and how sure it is."""
    arms = known_arms(router)
    models = {arm.info.model for arm in arms}
    yield from wrapped(
        f"Bundle {router.manifest.bundle_id} knows {_count(len(models), 'model')} "
        f"({_count(len(arms), 'arm')}: a model at a compute tier). Quality is the mean on its own "
        "training prompts with a 90 % interval; on your work it may be another."
    )
    yield from _about_kinds(arms)
    yield ""
    yield from table(arms, families=True)


def table(arms: list[Known], *, families: bool) -> Iterator[str]:
    """Arms in aligned columns; those of a family together, under its name where that says more."""
    rows = [HEAD, *rows_of(arms)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    most, family = kinds_of(arms), None
    for arm, row in zip((None, *arms), rows, strict=True):
        if arm is not None and families and arm.family != family:
            family = arm.family
            if sum(other.family == family for other in arms) > 1:
                yield family
        inner = "  " if families and arm is not None and _several(arm, arms) else ""
        name = (inner + row[0]).ljust(widths[0] + (2 if families else 0))
        yield f"{name}  {row[1].rjust(widths[1])}  {row[2].ljust(widths[2])}  {row[3]}".rstrip()
        if arm is not None and _differs(arm.kinds, most):
            yield from wrapped(_kinds(arm.kinds), indent=inner + "    ")


def _differs(kinds: Mapping[str, int], most: Mapping[str, int]) -> bool:
    """Whether an arm has outcomes of other work than the others, or clearly fewer of some."""
    return bool(kinds) and any(kinds.get(kind, 0) < MUCH * most[kind] for kind in most)


def _several(arm: Known, arms: list[Known]) -> bool:
    return sum(other.family == arm.family for other in arms) > 1


def made(
    router: Router, out: Path, base: str, left_out: Mapping[str, str], priced: Collection[str]
) -> Iterator[str]:
    """What was written, what is known of each model there, and how to run it.

    Args:
        router: of the new bundle.
        out: the folder.
        base: where the models come from, in words.
        left_out: models that answer no more -> since when.
        priced: models whose prices are somebody's own.
    """
    arms = known_arms(router)
    models = {arm.info.model for arm in arms}
    yield from wrapped(
        f"Wrote {out / BUNDLE} (bundle {router.manifest.bundle_id}: {_count(len(arms), 'arm')} of "
        f"{_count(len(models), 'model')}, from {base}) and {out / BESIDE} (prices and abilities; "
        "edit it as they change)."
    )
    yield ""
    yield from table(arms, families=False)
    yield ""
    yield from _about_kinds(arms)
    yield from cautions(arms, left_out, priced)
    yield ""
    yield f"Run it:  tierwise serve {out}"
    yield f'Ask it:  tierwise route {out} "What is 17*23?" --threshold 0.5'


def cautions(
    arms: list[Known], left_out: Mapping[str, str], priced: Collection[str]
) -> Iterator[str]:
    """What is not sure, or was not taken, each in a few lines."""
    likened = [arm.info.model for arm in arms if arm.info.like is not None]
    if likened:
        yield from wrapped(
            f"Nobody has measured {', '.join(dict.fromkeys(likened))}: quality, length of answers "
            "and abilities are those of the model that each is like. 50 labels say more "
            "(tierwise add-model)."
        )
    undated = {arm.info.model for arm in arms if arm.info.price_date is None} - set(priced)
    if undated:
        yield from wrapped(
            f"No date is known of the prices of {_first(sorted(undated))}; compare them with your "
            "bill."
        )
    if left_out:
        ends = [f"{model} ({day})" for model, day in sorted(left_out.items())]
        yield from wrapped(f"Left out, for they answer no more: {_first(ends)}.")


def _about_kinds(arms: list[Known]) -> Iterator[str]:
    kinds = kinds_of(arms)
    if kinds:
        yield from wrapped(f"Kinds of work, with outcomes per arm: {_kinds(kinds)}.")


def _kinds(kinds: Mapping[str, int]) -> str:
    shown = [f"{kind} {count:,}" for kind, count in list(kinds.items())[:MOST_KINDS]]
    more = len(kinds) - len(shown)
    return ", ".join([*shown, *([f"{more} kinds more"] if more else [])])


def _first(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def wrapped(text: str, indent: str = "") -> list[str]:
    """Lines of at most `WIDTH` columns; a word is never cut."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
