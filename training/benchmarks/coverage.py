"""Does the certificate keep its word? Worlds whose truth is known, drawn again and again.

    python -m training.benchmarks.coverage
    python -m training.benchmarks.coverage --bundle B --data D.parquet --prompts P.parquet

A world is violated when any certified threshold truly loses more than was promised, though the
certificate speaks of it alone; at 95 % confidence that may happen in 5 % of worlds. Without
options the truth is a formula, most worlds lying close to the promise, where errors are made.
With a bundle and its test rows, the rows are the world: calibration prompts are drawn from them
with replacement, and the truth is the mean over all. Beside that, half of the rows calibrate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from data.tables import load_tables
from router import Router
from router.core.certificate import GRID
from router.types import Doubles, Ints

from ..certify.bound import fixed_sequence
from ..certify.certify import Request, Rows, along_the_grid, usable_rows
from ..config import recorded
from ..prepare.cache import CACHE
from ..progress import ConsoleReporter

PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often certificates were issued and broken.

    Attributes:
        worlds: how many were drawn.
        certified: in which some threshold was certified.
        violated: in which some certified threshold loses more than promised.
        threshold, saving: means over the certified worlds; null where there are none.
        other_half_above: worlds in which the half that did not calibrate lost more than promised.
    """

    worlds: int
    certified: int
    violated: int
    threshold: float | None
    saving: float | None
    other_half_above: int | None = None

    @property
    def rate(self) -> float:
        """Violations per world."""
        return self.violated / self.worlds


def simulated_losses(rng: np.random.Generator, n: int, limit: float) -> tuple[Doubles, Doubles]:
    """One world: losses of n prompts along the grid (L, n), and the true expectations (L,).

    A prompt loses, ties or wins against the best arm, by amounts of 1 or, in some worlds, of graded
    answers. Losing becomes rarer along the threshold; where the true loss crosses the limit is
    drawn, and in a part of the worlds it hugs the limit all along.
    """
    along = np.linspace(0.0, 1.0, GRID + 1)
    wins = rng.uniform(0.0, 0.25)
    size = 1.0 if rng.random() < 0.5 else rng.uniform(0.2, 1.0)
    slope = rng.choice([0.0, 0.02, 0.2, 0.6])
    crossing = rng.uniform(-0.2, 1.2)
    truth = np.clip(
        limit + slope * (crossing - along) ** 3 + rng.choice([0.0, 1e-4, 0.01]), -0.2, 0.7
    )
    lose = np.clip(wins + truth / size, 0.0, 1.0 - wins)
    draw = rng.random(n)
    loss = size * ((draw < lose[:, None]).astype(float) - (draw > 1.0 - wins).astype(float))
    return loss, size * (lose - wins)


def simulate(worlds: int, prompts: int, request: Request) -> Coverage:
    """Certify in worlds whose truth is a formula."""
    found: list[tuple[int | None, bool, float]] = []
    for world in range(worlds):
        rng = np.random.default_rng([request.seed, world])
        loss, truth = simulated_losses(rng, prompts, request.max_quality_drop)
        row = fixed_sequence(loss, request.max_quality_drop, level=request.level)
        found.append((row, _broken(row, truth, request), 0.0))
    return _coverage(found, np.linspace(0.0, 1.0, GRID + 1), priced=False)


def resample(rows: Rows, draws: Iterator[Ints], truth: Doubles, request: Request) -> Coverage:
    """Certify on drawn calibration prompts of a table.

    Args:
        rows: every prompt.
        draws: the calibration prompts of each world, (m,) each.
        truth: (L,) expected losses that certificates are held to.
        request: what is certified.
    """
    found = []
    for index in draws:
        row = fixed_sequence(rows.loss[:, index], request.max_quality_drop, level=request.level)
        found.append((row, _broken(row, truth, request), _saving(rows, row)))
    return _coverage(found, rows.thresholds, priced=True)


def halves(rows: Rows, worlds: int, request: Request) -> Coverage:
    """Half of the prompts calibrate; the truth is the mean over all of them.

    The mean over the other half is counted too, but is no truth: in a table of fixed size it errs
    by as much as the calibrating half does, to the other side.
    """
    n, above = rows.loss.shape[1], 0
    truth, found = rows.loss.mean(axis=1), []
    for world in range(worlds):
        order = np.random.default_rng([request.seed, world]).permutation(n)
        first, second = order[: n // 2], order[n // 2 :]
        row = fixed_sequence(rows.loss[:, first], request.max_quality_drop, level=request.level)
        found.append((row, _broken(row, truth, request), _saving(rows, row)))
        if row is not None:
            above += float(rows.loss[row, second].mean()) > request.max_quality_drop
    return replace(_coverage(found, rows.thresholds, priced=True), other_half_above=above)


def _broken(row: int | None, truth: Doubles, request: Request) -> bool:
    return row is not None and bool((truth[row:] > request.max_quality_drop + 1e-12).any())


def _saving(rows: Rows, row: int | None) -> float:
    return 0.0 if row is None else 1.0 - float(rows.cost_usd[row].sum() / rows.best_usd.sum())


def _coverage(
    found: list[tuple[int | None, bool, float]], thresholds: Doubles, *, priced: bool
) -> Coverage:
    issued = [(thresholds[row], saving) for row, _, saving in found if row is not None]
    return Coverage(
        worlds=len(found),
        certified=len(issued),
        violated=sum(broken for _, broken, _ in found),
        threshold=float(np.mean([t for t, _ in issued])) if issued else None,
        saving=float(np.mean([s for _, s in issued])) if issued and priced else None,
    )


def bootstrap(n: int, size: int, worlds: int, seed: int) -> Iterator[Ints]:
    """Calibration prompts drawn with replacement: `worlds` times (size,)."""
    for world in range(worlds):
        yield np.random.default_rng([seed, world]).integers(0, n, size)


@click.command()
@click.option("--worlds", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--n-prompts", type=click.IntRange(50), default=1000, show_default=True)
@click.option("--max-quality-drop", type=float, default=0.02, show_default=True)
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--bundle", type=PATH, help="Take the world from a bundle's test rows.")
@click.option("--data", "data_path", type=PATH)
@click.option("--prompts", type=PATH)
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def main(
    worlds: int,
    n_prompts: int,
    max_quality_drop: float,
    confidence: float,
    seed: int,
    bundle: Path | None,
    data_path: Path | None,
    prompts: Path | None,
    cache: Path,
) -> None:
    """Count how often certificates are broken."""
    request = Request(max_quality_drop=max_quality_drop, confidence=confidence, seed=seed)
    if bundle is None:
        _say(f"simulated, {n_prompts} prompts", simulate(worlds, n_prompts, request))
        return
    if data_path is None or prompts is None:
        raise click.UsageError("--bundle needs --data and --prompts too")
    rows = _test_rows(bundle, data_path, prompts, cache, seed)
    n = rows.loss.shape[1]
    _say(
        f"resampled from {n} test rows",
        resample(rows, bootstrap(n, n, worlds, seed), rows.loss.mean(axis=1), request),
    )
    _say(f"{n // 2} of {n} calibrate", halves(rows, worlds, request))


def _test_rows(bundle: Path, data: Path, prompts: Path, cache: Path, seed: int) -> Rows:
    router = Router.load(bundle)
    settings = recorded(router.manifest.config)
    tables = load_tables(data, prompts, split=settings.split)
    usable = usable_rows(router, tables, "test", cache, ConsoleReporter(Console(stderr=True)))
    return along_the_grid(router, usable.scored, seed=seed)


def _say(what: str, found: Coverage) -> None:
    line = (
        f"{what}: {found.violated} of {found.worlds} worlds violated ({found.rate:.2%}); "
        f"{found.certified} certified"
    )
    if found.threshold is not None:
        line += f", threshold {found.threshold:.2f} on average"
    if found.saving is not None:
        line += f", saving {found.saving:.1%}"
    if found.other_half_above is not None:
        line += f"; the other half above in {found.other_half_above}"
    click.echo(line)


if __name__ == "__main__":
    main()
