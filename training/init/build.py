"""Make a router of somebody's own models: the edits that their wishes come to, one after another.

Known models keep what was learned of them; nothing is retrained. The same wishes of the same bundle
give the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from data.collection import Source
from data.prices import PriceTable
from router import Router
from router.atomic import replaced_folder
from router.catalogue.catalogue import ABILITIES, Catalogue, Model, Price
from router.core.bundle import BESIDE
from router.core.manifest import MANIFEST, ArmInfo
from router.core.map_rows import MapRows

from ..bundle.oof_predictions import OofPredictions
from ..edit.change import remove_arms, reprice_arms
from ..edit.edit import add_model, map_rows, new_tables
from ..edit.like import like_arms
from ..edit.rename import rename_models
from ..errors import ExportError
from ..progress import Reporter
from .catalogue_text import to_toml
from .known import kinds_of, known_arms, rows_of
from .wishes import Wishes, chosen

BUNDLE = "bundle"  # its folder beside the catalogue

Step = Callable[[Router, Path], object]


def build(router: Router, wishes: Wishes, out: Path, cache: Path, reporter: Reporter) -> Router:
    """Write `out`, which holds the bundle and a catalogue, and load the bundle.

    Args:
        router: the bundle that knows the models.
        wishes: `wishes.resolved` by that bundle.
        out: the folder.
        cache: of embeddings, where there are labels.
        reporter: shows the stages.
    """
    with tempfile.TemporaryDirectory() as scratch:
        current = router
        for number, step in enumerate(_steps(router, wishes, cache, reporter)):
            target = Path(scratch) / str(number)
            step(current, target)
            current = Router.load(target)
        with replaced_folder(out) as building:
            shutil.copytree(current.bundle.path, building / BUNDLE)
            (building / BESIDE).write_text(catalogue_text(current), "utf-8")
    return Router.load(out)


def check_out(out: Path, *, force: bool) -> None:
    """Refuse to write over what somebody may still want.

    Raises:
        ExportError: there is a folder that is not of `init`, or one that is, without `force`.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    own = out.is_dir() and {path.name for path in out.iterdir()} == {BUNDLE, BESIDE}
    if not (own and (out / BUNDLE / MANIFEST).is_file()):
        raise ExportError(f"{out} exists and is not one of ours; name a new or an empty folder")
    if not force:
        raise ExportError(f"{out} exists; --force writes it anew, its {BESIDE} included")


def _steps(router: Router, wishes: Wishes, cache: Path, reporter: Reporter) -> Iterator[Step]:
    """The edits that are needed, in order.

    Prices before arms go: what is left then has the map that the whole bundle has at these prices
    where it allows the same arms.
    """
    labels = wishes.labels
    if labels is not None:
        yield lambda now, to: _labelled(now, labels, wishes.prices, to, cache, reporter)
    if wishes.likes:
        yield lambda now, to: like_arms(now, wishes.likes, *_rows(now, cache, reporter), to)
    if wishes.prices.rows:
        yield lambda now, to: reprice_arms(now, wishes.prices, *_rows(now, cache, reporter), to)
    own = wishes.names.values()
    kept = {router.arm_ids[i] for i in chosen(router, wishes.patterns, own).kept}
    gone = [name for name in router.arm_ids if name not in kept]
    if gone:
        yield lambda now, to: remove_arms(now, gone, *_rows(now, cache, reporter), to)
    if wishes.names:
        names = {model: mine for mine, model in wishes.names.items()}
        yield lambda now, to: rename_models(now, names, *_rows(now, cache, reporter), to)


def _rows(router: Router, cache: Path, reporter: Reporter) -> tuple[MapRows, OofPredictions | None]:
    return map_rows(router, None, cache, reporter)


def _labelled(
    router: Router,
    labels: tuple[Path, Path],
    prices: PriceTable,
    out: Path,
    cache: Path,
    reporter: Reporter,
) -> None:
    data, prompts = map(str, labels)
    source = Source(outcomes=data, prompts=prompts)
    tables, listed = new_tables([source], prices if prices.rows else None, Catalogue())
    add_model(router, tables, (), out, cache, reporter, prices=listed, catalogue=Catalogue())


def catalogue_text(router: Router) -> str:
    """The catalogue of a bundle's models as TOML, for people to edit: what is known stands by."""
    infos = {info.model: info for info in router.manifest.arms}
    models = {name: _entry(router, info) for name, info in sorted(infos.items())}
    own = router.catalogue
    catalogue = Catalogue(
        models=models, tiers=own.tiers, verifiers=own.verifiers, retrievers=own.retrievers
    )
    arms = known_arms(router)
    about: dict[str, list[str]] = {}
    for arm, (name, _, quality, told) in zip(arms, rows_of(arms), strict=True):
        about.setdefault(arm.info.model, []).append(f"{name}: quality {quality} by {told}")
    head = [
        f"What the models of bundle {router.manifest.bundle_id} cost and can do. Edit it: a "
        "running service follows, and `tierwise route` reads it. What is left out is as the bundle "
        "has it. Prices are US dollars per million tokens."
    ]
    kinds = kinds_of(arms)
    if kinds:
        head.append("Qualities are of: " + ", ".join(kinds) + ".")
    return to_toml(catalogue.to_dict(), head, {("models", name): v for name, v in about.items()})


def _entry(router: Router, info: ArmInfo) -> Model:
    """What the bundle has of a model, its price with it."""
    known = router.catalogue.model(info.model)
    values = {name: getattr(info, name) for name in ABILITIES} | {
        name: getattr(known, name) for name in ("family", "known_as", "api", "health", "latency")
    }
    price = known.price
    if info.metered_in == "tokens":
        cached = {} if price is None else {
            name: getattr(price, name)
            for name in (
                "usd_per_1m_cached_input", "usd_per_1m_cache_write", "usd_per_1m_reasoning",
            )
        }  # fmt: skip
        price = Price(
            usd_per_1m_input=info.usd_per_1m_input,
            usd_per_1m_output=info.usd_per_1m_output,
            valid_from=info.price_date,
            **cached,
        )
    return Model(**values, price=price)
