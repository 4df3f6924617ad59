"""The manifest: what a bundle holds, for which arms, made how.

Bump PROTOCOL when a reader of the old number would misread a new bundle: a field that changes
meaning or unit, a graph input or output that changes. New optional fields need no bump. Keep
the old number in READABLE for one release, and a bundle of it among the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..catalogue.catalogue import ABILITIES, Model
from ..catalogue.public import PublicCatalogue, public_catalogue
from ..catalogue.tiers import Effort
from ..errors import BundleError
from ..types import Arm, Bools, Ints
from .certificate import Certificate, certificate_of

PROTOCOL = 1
READABLE = frozenset({1})
MANIFEST = "manifest.json"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of the bundle."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderInfo:
    """Which encoder the heads were trained on; its embeddings are the heads' input."""

    name: str
    weights_sha256: str
    precision: str  # "int8" or "fp32"
    dimension: int
    max_tokens: int
    max_chars: int
    cosine_to_fp32: float | None  # mean over real prompts; null for fp32 itself
    depth: float = 1.0  # share of the model's layers that is run


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmInfo:
    """One arm: its price, what it can do, and its record on the training rows.

    Capabilities are null where unknown, and an unknown capability cannot be required.
    """

    model: str
    tier: str
    usd_per_1m_input: float
    usd_per_1m_output: float
    price_date: str | None
    metered_in: str  # "tokens"; "usd" where the table had costs but no token counts
    input_tokens_base: float
    input_tokens_per_char: float
    context_tokens: int | None
    tools: bool | None
    vision: bool | None
    json: bool | None
    mean_quality: float
    quality_spread: float  # standard deviation of quality between clusters
    mean_cost_usd: float
    rows: int
    mean_output_tokens: float | None = None  # in the unit of the heads; null in older bundles
    battles: int = 0  # preferences that stand in for outcomes, where there are no rows
    like: str | None = None  # the arm that it is taken to be like, where it has no outcome at all
    max_output_tokens: int | None = None
    audio: bool | None = None
    document: bool | None = None
    system_role: bool | None = None
    reasoning: bool | None = None
    efforts: tuple[Effort, ...] | None = None  # levels that the model's API takes
    retired: str | None = None  # ISO date since when the model answers no more

    @property
    def arm(self) -> Arm:
        """The arm's name."""
        return Arm(self.model, self.tier)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInfo:
    """The constants of the decision rule, all chosen on training folds."""

    best_single: int  # index of the arm with the best mean quality
    default_arm: int  # served when a prediction is invalid
    default_threshold: float
    tie_band: float  # near-tie width in standard errors
    distance_p99: float  # training 99th percentile of the distance to the nearest centroid
    distance_far: float  # where predictions have faded to the global means
    difficulty_edges: tuple[float, ...]  # quintile edges of 1 - mean predicted quality
    far_tie: float = 0.0  # near-tie width where nothing is known of a prompt, in standard errors
    today: str | None = None  # arms retired by then are on no map; null where none was left out


def retired_by(day: str | None, retired: Iterable[str | None]) -> Bools:
    """(a,) whether arms that retire on these ISO dates have done so by a day; null by none."""
    ends = [day is not None and end is not None and end <= day for end in retired]
    return np.array(ends, dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdMap:
    """The λ-sweep on validation rows, thinned to its knots; all of one length.

    threshold rises from 0 to 1, money_price (the file's name of the cost weight λ, quality per US
    dollar) falls, and quality and
    cost_usd are means per request over the validation rows.
    """

    threshold: tuple[float, ...]
    money_price: tuple[float, ...]
    quality: tuple[float, ...]
    cost_usd: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Clusters of one kind of work and, in a collection, of one source.

    Attributes:
        kind: of work, as a person says it; null where nobody can tell.
        source: of a collection; empty of a single table.
        clusters: their numbers.
        rows: training prompts in them.
        arms: arms that were tried on these.
        threshold_map: of its own prompts; null where too few were judged, or where nobody declared
            kinds: the map of all prompts then holds.
        tie_band: near-tie width in standard errors by that map; wide where no two arms were tried.
    """

    kind: str | None
    source: str
    clusters: tuple[int, ...]
    rows: int
    arms: int
    threshold_map: ThresholdMap | None = None
    tie_band: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about a bundle but its weights."""

    protocol: int
    bundle_id: str
    files: dict[str, FileEntry]
    encoder: EncoderInfo
    feature_version: int
    feature_names: tuple[str, ...]
    arms: tuple[ArmInfo, ...]
    decision: DecisionInfo
    threshold_map: ThresholdMap  # of all prompts
    regions: tuple[Region, ...] = ()  # every cluster is in one; none in older bundles
    catalogue: dict[str, Any] = field(
        default_factory=dict
    )  # of `router.catalogue.catalogue`, plain values
    training: dict[str, Any] = field(default_factory=dict)  # rows, rejects, folds, stack weights
    metrics: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None  # absent before somebody calibrated

    @property
    def encoder_sha256(self) -> str:
        """Of the encoder's file; embeddings by the same file can be compared."""
        return self.files["encoder/model.onnx"].sha256

    @property
    def region_of(self) -> Ints:
        """(k,) number of each cluster's region; empty where there are none."""
        found = np.empty(sum(len(region.clusters) for region in self.regions), dtype=np.int64)
        for number, region in enumerate(self.regions):
            found[list(region.clusters)] = number
        return found

    @property
    def mapped(self) -> bool:
        """Whether a threshold is a share of spend within some kind of work."""
        return any(region.threshold_map is not None for region in self.regions)

    def to_json(self) -> str:
        """The manifest as stable, readable JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read and check `manifest.json` of a bundle.

    Raises:
        BundleError: it is missing, is not JSON, has a foreign protocol or lacks a field.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        hint = "is not a folder" if not folder.is_dir() else f"has no {MANIFEST}"
        raise BundleError(f"{folder} {hint}, so it is not a complete bundle") from None
    except (OSError, ValueError) as err:
        raise BundleError(f"{path} is damaged: {err}") from err
    if not isinstance(raw, dict):
        raise BundleError(f"{path} is damaged: expected a JSON object")
    protocol = raw.get("protocol")
    if protocol not in READABLE:
        raise BundleError(
            f"{path} has protocol {protocol!r}; this version reads {sorted(READABLE)}"
        )
    try:
        manifest = _manifest(raw)
        _check(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise BundleError(f"{path} is damaged: {err}") from err
    return manifest


def with_public(manifest: Manifest) -> Manifest:
    """The manifest with what it leaves unknown of public models; prices stay its own."""
    public = public_catalogue()
    return replace(manifest, arms=tuple(_known(info, public) for info in manifest.arms))


def _known(info: ArmInfo, public: PublicCatalogue) -> ArmInfo:
    stated = Model(**{name: getattr(info, name) for name in ABILITIES})
    found = public.filled(info.model, stated)
    return replace(info, **{name: getattr(found, name) for name in ABILITIES})


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    nested: dict[str, Any] = {
        "files": {name: _build(FileEntry, entry) for name, entry in raw["files"].items()},
        "encoder": _build(EncoderInfo, raw["encoder"]),
        "arms": tuple(_build(ArmInfo, arm) for arm in raw["arms"]),
        "decision": _build(DecisionInfo, raw["decision"]),
        "threshold_map": _build(ThresholdMap, raw["threshold_map"]),
        "regions": tuple(_region(region) for region in raw.get("regions", [])),
    }
    if raw.get("certificate") is not None:
        nested["certificate"] = certificate_of(raw["certificate"])
    return _build(Manifest, {**raw, **nested})


def _region(raw: Mapping[str, Any]) -> Region:
    table = raw.get("threshold_map")
    own = None if table is None else _build(ThresholdMap, table)
    return _build(Region, {**raw, "threshold_map": own})


def _build(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Make a dataclass from JSON: lists become tuples, unknown keys are ignored."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    known = {key: value for key, value in raw.items() if key in names}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})


def _check(manifest: Manifest) -> None:
    """Refuse what would only fail later, while a request waits."""
    arms = len(manifest.arms)
    if arms < 1:
        raise ValueError("it names no arm")
    if len({arm.arm for arm in manifest.arms}) != arms:
        raise ValueError("it names an arm twice")
    for name in ("best_single", "default_arm"):
        index = getattr(manifest.decision, name)
        if not 0 <= index < arms:
            raise ValueError(f"decision.{name} is {index}, but there are {arms} arms")
    for table in (manifest.threshold_map, *(r.threshold_map for r in manifest.regions)):
        if table is not None:
            _check_map(table)
    clusters = sorted(cluster for region in manifest.regions for cluster in region.clusters)
    if clusters != list(range(len(clusters))):
        raise ValueError("regions must hold every cluster once")


def _check_map(table: ThresholdMap) -> None:
    lengths = {len(table.threshold), len(table.money_price), len(table.quality)}
    if lengths != {len(table.cost_usd)} or len(table.threshold) < 2:
        raise ValueError("threshold_map needs at least two knots and columns of one length")
    rising = all(a < b for a, b in zip(table.threshold, table.threshold[1:], strict=False))
    falling = all(a >= b for a, b in zip(table.money_price, table.money_price[1:], strict=False))
    if not (rising and falling and table.money_price[-1] >= 0):
        raise ValueError("threshold_map must rise in threshold and fall in money_price")
