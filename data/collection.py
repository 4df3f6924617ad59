"""A collection: several tables that one router is trained on or measured by, and what each is.

A TOML names them as [[source]], with paths that are relative to it; a single table is a collection
of one source without a name. What a source is (its kind of work, its licence) is told to people and
kept in bundles; nothing of it is ever learned from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from router.strict import FieldError, build

from .errors import DataError, FormatError
from .scale import Scales

SUFFIX = ".toml"
FILES = ("outcomes", "prompts", "pairs", "efforts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One table of outcomes and what is known of it.

    Attributes:
        outcomes, prompts, pairs: paths of its files; pairs are preferences, if there are any.
        efforts: path of a table of what tiers cost on prompts like these: see `data.efforts`.
        name: stands before its prompt ids; empty of a single table.
        kind: the work that its prompts are, as a person says it, such as "tool call".
        kind_column: column of its prompts whose values are kinds, or words that `kinds` explains.
        kinds: word or wildcard -> kind; the first that fits counts, else `kind`.
        only: words or wildcards of that column: the other prompts of its files are not its own.
        scale: WORST:BEST of its scores, where they do not run from 0 to 1.
        weight: what a row counts beside the rows of other sources.
        group: column of its prompts; those of one value are siblings, and share fold and split.
        licence: as its publisher states it.
        use: whether a router may learn from it, or is only measured by it.
        per: what tokens and dollars are of: a request, or an agent's whole task.
    """

    outcomes: str
    prompts: str
    pairs: str | None = None
    efforts: str | None = None
    name: str = ""
    kind: str | None = None
    kind_column: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    scale: str | None = None
    weight: float = 1.0
    group: str | None = None
    licence: str | None = None
    use: Literal["train", "measure"] = "train"
    per: Literal["request", "task"] = "request"

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"weight must be above 0, got {self.weight:g}")
        if self.scale is not None:
            try:
                Scales.parse([self.scale])
            except DataError:
                raise ValueError(f"scale is WORST:BEST such as 1:5, got {self.scale!r}") from None
        if "/" in self.name:
            raise ValueError(f"name must not hold a slash, got {self.name!r}")
        if self.kinds and self.kind_column is None:
            raise ValueError("kinds explains the words of a kind_column, and there is none")
        if self.only and self.kind_column is None:
            raise ValueError("only picks words of a kind_column, and there is none")

    def kind_of(self, word: str | None) -> str | None:
        """The kind of a prompt whose `kind_column` says `word`; null where nobody said."""
        if word is None:
            return self.kind
        if not self.kinds:
            return word
        fits = (kind for known, kind in self.kinds.items() if fnmatchcase(word, known))
        return next(fits, self.kind)

    def owns(self, word: str | None) -> bool:
        """Whether a prompt whose `kind_column` says `word` is one of the source's."""
        if not self.only:
            return True
        return word is not None and any(fnmatchcase(word, known) for known in self.only)

    def facts(self) -> dict[str, Any]:
        """What a bundle says of it: no path, no text, nothing that nobody stated."""
        told = {k: v for k, v in asdict(self).items() if k not in (*FILES, "kinds", "only") and v}
        beside = {name: True for name in ("pairs", "efforts") if getattr(self, name)}
        return told | beside


def read_collection(path: Path, files: Path | None = None) -> tuple[Source, ...]:
    """Read a TOML of [[source]].

    Args:
        path: the TOML.
        files: folder that its paths are relative to, instead of its own.
    Raises:
        FormatError: it cannot be read, a key is unknown, a file is missing, a name comes twice.
    """
    raw = _read(path)
    unknown = sorted(raw.keys() - {"source"})
    if unknown:
        raise FormatError(f"{path}: unknown key {unknown[0]}; a collection holds [[source]] alone")
    listed = raw.get("source", [])
    if not isinstance(listed, list) or not listed:
        raise FormatError(
            f"{path} names no table; write [[source]] with name, outcomes and prompts"
        )
    sources = [_source(path, i, entry) for i, entry in enumerate(listed)]
    folder = path.parent if files is None else files
    return named_once([_found(path, source, folder) for source in sources], str(path))


def sources_of(
    data: Sequence[Path],
    prompts: Sequence[Path],
    pairs: Sequence[Path] = (),
    files: Path | None = None,
) -> tuple[Source, ...]:
    """The sources that a command line names: one TOML, one table, or several by their files' names.

    Raises:
        FormatError: tables and prompts do not come in pairs, or the TOML cannot be read.
    """
    tomls = [path for path in data if path.suffix == SUFFIX]
    if tomls:
        if len(data) > 1 or prompts or pairs:
            raise FormatError(f"{tomls[0].name} names all tables; give it alone, as --data")
        return read_collection(tomls[0], files)
    if files is not None:
        raise FormatError(f"--datasets is the folder of a collection; --data names no {SUFFIX}")
    if len(data) != len(prompts):
        raise FormatError(
            f"--data and --prompts belong together, one each a table, or --data is a collection's "
            f"{SUFFIX}; got {len(data)} of --data and {len(prompts)} of --prompts"
        )
    if pairs and len(pairs) != len(data):
        raise FormatError(
            f"{len(data)} of --data need as many of --pairs, or none; got {len(pairs)}. A "
            f"collection's {SUFFIX} names pairs = of the sources that have some"
        )
    battles = [str(path) for path in pairs] if pairs else [None for _ in data]
    sources = [
        Source(outcomes=str(d), prompts=str(p), pairs=b, name=name)
        for d, p, b, name in zip(data, prompts, battles, _names(data), strict=True)
    ]
    return named_once(sources, "--data")


def _names(data: Sequence[Path]) -> list[str]:
    """What tells tables apart: nothing of one, else the names of the files or of their folders."""
    if len(data) < 2:
        return [""] * len(data)
    stems = [path.stem for path in data]
    alike = len(set(stems)) < len(stems)
    return [f"{path.absolute().parent.name}-{path.stem}" for path in data] if alike else stems


def named_once(sources: Iterable[Source], where: str) -> tuple[Source, ...]:
    """The sources in the order of their names.

    Raises:
        FormatError: two have one name, or one of several has none.
    """
    found = tuple(sorted(sources, key=lambda source: source.name))
    names = [source.name for source in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormatError(
            f"{where} has two sources named {twice[0]!r}; a name tells their rows apart"
        )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as err:
        raise FormatError(f"{path} cannot be read: {err.strerror}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise FormatError(f"{path} is not valid TOML: {err}") from err


def _source(path: Path, number: int, raw: Any) -> Source:  # noqa: ANN401
    """One [[source]], named in errors by its name or its place."""
    if not isinstance(raw, dict):
        raise FormatError(f"{path}: source is a list of tables; write [[source]]")
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise FormatError(f'{path}: source {number + 1} has no name; write name = "…"')
    try:
        return build(Source, raw, f"{name}.")
    except FieldError as err:
        raise FormatError(f"{path}: {err}") from err


def _found(path: Path, source: Source, folder: Path) -> Source:
    """The source with paths from here, all of which exist."""

    def full(key: str, told: str) -> str:
        file = folder / told
        if not file.exists():
            around = file.parent if file.parent.is_dir() else folder
            near = get_close_matches(file.name, [f.name for f in around.glob("*")], n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise FormatError(f"{path}: {source.name}.{key}, {file}, is missing{hint}")
        return str(file)

    return replace(
        source,
        outcomes=full("outcomes", source.outcomes),
        prompts=full("prompts", source.prompts),
        pairs=None if source.pairs is None else full("pairs", source.pairs),
        efforts=None if source.efforts is None else full("efforts", source.efforts),
    )
