"""The training configuration: one TOML file, frozen dataclasses, no unknown keys.

Every default is what training uses when the file is silent; the resolved whole goes into the
manifest. Configs live here together because they are read, checked and recorded together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from data.split import SplitConfig
from data.summary import MIN_ROWS
from router.strict import FieldError
from router.strict import build as build_strictly

from .errors import ConfigError

T = TypeVar("T")
METHODS = ("cluster", "knn", "kernel", "labels", "utility")
# what an earlier release could be told, and what became of it; by dotted name
RETIRED = {
    "predictors.logistic": "kernel learns what it learns",
    "predictors.ridge": "kernel learns what it learns",
    "predictors.taste": "knn is level with it",
    "predictors.tiered": "knn and kernel are level with it",
    "predictors.trees": "trees learn the level that all arms share; see [level]",
    "taste": "knn is level with it, see [knn]",
    "tiered": "knn and kernel are level with it",
    "trees": "trees learn the level that all arms share, see [level]",
    "linear.ridge": "kernel learns what it learns, see kernel.alpha",
    "linear.logistic": "kernel learns what it learns, see kernel.alpha",
    "labels.alpha": "labels are told apart by discriminants, see labels.temperature",
    "labels.iterations": "labels are told apart in closed form",
    "stack.mean_weight": "the stack is a plain mean, see stack.within",
    "stack.belief": "the stack is a plain mean, see stack.within",
    "encoder.depths": "one depth is exported, see encoder.depth",
}
UNIVERSAL = "universal-sentence-encoder-multilingual-3"  # packaged: 16 languages, no attention
MINILM = "sentence-transformers/all-MiniLM-L6-v2"  # packaged: English


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The sentence encoder; everything downstream learns from its exported file."""

    model: str = MINILM  # or UNIVERSAL, a sentence-transformers name, or a folder
    # share of a transformer's layers that is run, from the first one on: the last layers pull
    # paraphrases together and lose what a prompt asks of a model (EXPERIMENTS.md)
    depth: float = 0.67
    precision: str = "int8"  # "int8" or "fp32"
    max_tokens: int = 256  # time is linear in tokens
    max_chars: int = 4000
    min_cosine: float = 0.99  # int8 is kept only at this mean cosine to fp32

    def __post_init__(self) -> None:
        if self.precision not in {"int8", "fp32"}:
            raise ConfigError(f"encoder.precision must be int8 or fp32, got {self.precision!r}")
        if not 0.0 < self.depth <= 1.0:
            raise ConfigError(
                f"encoder.depth must be a share of the layers above 0 and up to 1, got {self.depth}"
            )
        _at_least("encoder.max_tokens", self.max_tokens, 8)
        _at_least("encoder.max_chars", self.max_chars, 32)

    @property
    def multilingual(self) -> bool:
        """Whether it reads many languages: the same request lies near itself in all of them."""
        return "multilingual" in self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmsConfig:
    """Which arms are learned."""

    # share of the best-covered arm's prompts below which an arm is left out; 0 leaves none out:
    # what few prompts say of an arm counts as little as it is
    min_coverage: float = 0.0
    min_rows: int = MIN_ROWS  # training rows that an arm needs
    prices: str | None = None  # CSV of dated list prices; null: read off the table's own costs
    catalogue: str | None = None  # TOML or JSON: capabilities, prices, latency, tiers
    # ISO date: models that had retired by then are learned, for who names them, but are neither
    # the best single arm nor on the threshold's map; null retires none
    today: str | None = None
    # shell wildcards on `model` or `model|tier` of the arms that the bundle offers; the others of a
    # collection teach what arms have in common, and go no further. () offers all
    offered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.today or "2000-01-01")
        except ValueError:
            raise ConfigError(
                f"arms.today must be a date such as 2026-11-01, got {self.today!r}"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsConfig:
    """Cross-fitting: every choice is made on rows that the fitted models did not see."""

    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least("folds.folds", self.folds, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Spherical k-means and its shrunken tables."""

    k: tuple[int, ...] = (16, 64)  # candidates; cross-validated regret chooses
    min_rows_per_cluster: int = 12  # larger k than rows / this is not tried
    blend: int = 4  # nearest centroids whose values are blended
    sharpness: float = 10.0  # softmax weight of cosine similarity
    prior_rows: float = 20.0  # pseudo-rows of the arm's mean in every cell
    fit_rows: int = 4096  # centroids are fitted on at most so many prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnnConfig:
    """Nearest neighbours in the leading principal components of the embedding."""

    k: tuple[int, ...] = (100, 200, 400)
    components: int = 64  # bounds the time of a search; 384 read the memory six times as long
    sharpness: float = 3.0
    prior_rows: float = 2.0
    max_reference: int = 4096  # training prompts kept; bounds time and size of the heads


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelConfig:
    """Gaussian-kernel ridge on landmarks (Nyström)."""

    landmarks: int = 512
    width: tuple[float, ...] = (1.0,)  # γ in exp(-γ·squared distance)
    alpha: tuple[float, ...] = (3.0, 10.0, 30.0)
    feature_scale: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearConfig:
    """Multi-output heads on [embedding, text features]."""

    feature_scale: float = 0.05  # of a standardised text feature beside unit embeddings
    iterations: int = 80  # of heads that are not solved in closed form


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsConfig:
    """Tables by the task label that a prompt seems to have; for rows that come with labels."""

    shrinkage: float = 0.3  # of the covariance, towards a multiple of the identity
    # divides the discriminants, which count hundreds of dependent dimensions as independent ones
    temperature: tuple[float, ...] = (4.0, 8.0)
    min_rows: int = 20  # prompts that a label needs to count
    most: int = 100  # labels, the most frequent ones
    max_rows: int = 20_000  # the classifier is fitted on at most so many prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityConfig:
    """One utility of labels and battles; it takes part where there are pairs."""

    alpha: tuple[float, ...] = (1.0, 3.0, 10.0)
    weights: tuple[float, ...] = (1.0, 0.3, 0.1, 0.0)  # of a source's battle beside a label
    components: int = 128  # principal components of embedding and text features
    iterations: int = 100
    length: bool = True  # learn how a judge likes long answers, and leave that out
    min_battles: int = 30  # that an arm without labels needs to be routed to


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelConfig:
    """LightGBM for what all arms have in common: the level of quality and of output tokens."""

    rounds: int = 100
    leaves: int = 15
    learning_rate: float = 0.06
    min_rows_per_leaf: int = 20
    components: int = 48  # principal components of the embedding
    max_rows: int = 20_000  # trees train on at most so many prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """How the methods are combined."""

    within: float = 0.05  # of the least criterion: a method further behind is left out
    sharpness: float = 1.25  # a mean of predictions is too timid; its contrasts are spread by it
    level_share: float = 0.5  # of the trees in a prompt's level, beside the methods' mean
    # share of the contrasts that is followed, 0 (the arms' means) to 1; null: what out-of-fold
    # predictions can prove, see selection/trust.py
    trust: float | None = None

    def __post_init__(self) -> None:
        if self.within < 0.0:
            raise ConfigError(f"stack.within must not be below 0, got {self.within}")
        if self.sharpness <= 0.0:
            raise ConfigError(f"stack.sharpness must be above 0, got {self.sharpness}")
        if not 0.0 <= self.level_share <= 1.0:
            raise ConfigError(f"stack.level_share must lie between 0 and 1, got {self.level_share}")
        if self.trust is not None and not 0.0 <= self.trust <= 1.0:
            raise ConfigError(f"stack.trust must lie between 0 and 1, got {self.trust}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """Per-arm calibration on a fold that neither models nor stack saw."""

    method: str = "platt"  # "platt" or "none"
    prior_rows: tuple[float, ...] = (3000.0, 30000.0)  # that pull an arm to the pool

    def __post_init__(self) -> None:
        if self.method not in {"platt", "none"}:
            raise ConfigError(f"calibration.method must be platt or none, got {self.method!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionConfig:
    """Constants of the decision rule that inner folds choose from."""

    tie_bands: tuple[float, ...] = (0.0, 0.1, 0.2, 0.35, 0.5)  # in standard errors
    default_threshold: float = 0.5
    # standard errors within which arms tie far from all kinds of work: one, as Breiman et al. 1984
    # prune by; and in kinds where at most one arm was tried, where prompts still differ: at one,
    # proofs went to small models, at none, chores to the dearest (EXPERIMENTS.md)
    far_tie: float = 1.0
    untried_tie: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that training can be told."""

    seed: int = 0
    base: str | None = None  # a bundle's folder, or "starter": what is known before any row
    predictors: tuple[str, ...] = METHODS
    split: SplitConfig = field(default_factory=SplitConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    arms: ArmsConfig = field(default_factory=ArmsConfig)
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    knn: KnnConfig = field(default_factory=KnnConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    kernel: KernelConfig = field(default_factory=KernelConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    utility: UtilityConfig = field(default_factory=UtilityConfig)
    level: LevelConfig = field(default_factory=LevelConfig)
    stack: StackConfig = field(default_factory=StackConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)

    def __post_init__(self) -> None:
        unknown = [name for name in self.predictors if name not in METHODS]
        if unknown:
            became = RETIRED.get(f"predictors.{unknown[0]}")
            if became is not None:
                raise ConfigError(f"there is no predictor {unknown[0]!r} any more: {became}")
            near = get_close_matches(unknown[0], METHODS, n=1, cutoff=0.0)
            raise ConfigError(f"unknown predictor {unknown[0]!r}; did you mean {near[0]!r}?")
        # the same methods are the same bundle, in whatever order the file names them
        ordered = tuple(name for name in METHODS if name in self.predictors)
        object.__setattr__(self, "predictors", ordered)
        if not ordered:
            raise ConfigError(f"predictors is empty; name some of {', '.join(METHODS)}")

    def to_dict(self) -> dict[str, Any]:
        """The resolved configuration as plain values; which base is said by its id, elsewhere."""
        return {name: value for name, value in asdict(self).items() if name != "base"}


def load_config(path: Path | None) -> TrainConfig:
    """Read a TOML file, or take every default.

    Raises:
        ConfigError: the file cannot be read, a key is unknown or a value has the wrong type.
    """
    if path is None:
        return TrainConfig()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as err:
        raise ConfigError(f"{path} cannot be read: {err.strerror}") from err
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path} is not valid TOML: {err}") from err
    gone = retired(raw)
    if gone:
        told = "; ".join(f"{name}: {RETIRED[name]}" for name in gone)
        raise ConfigError(f"{path} names what this release no longer has: {told}")
    return build(TrainConfig, raw, "")


def recorded(raw: Mapping[str, Any]) -> TrainConfig:
    """The configuration in a manifest, without what this release no longer has.

    Bundles of earlier releases go on being evaluated and retrained; `retired` says what is left
    out.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type.
    """
    gone = retired(raw)
    known = {
        section: {k: v for k, v in values.items() if f"{section}.{k}" not in gone}
        if isinstance(values, dict)
        else values
        for section, values in raw.items()
        if section not in gone
    }
    stack = known.get("stack", {})
    if isinstance(stack.get("sharpness"), list | tuple):  # candidates of an earlier release
        known["stack"] = {k: v for k, v in stack.items() if k != "sharpness"}
    if "predictors" in known:
        kept = [name for name in known["predictors"] if f"predictors.{name}" not in gone]
        known["predictors"] = kept or list(METHODS)
    return build(TrainConfig, known, "")


def retired(raw: Mapping[str, Any]) -> list[str]:
    """The dotted names of `RETIRED` that a configuration uses."""
    named = raw.get("predictors", ())
    names = [f"predictors.{name}" for name in named] if isinstance(named, list | tuple) else []
    for section, values in raw.items():
        names += (
            [section]
            if not isinstance(values, dict)
            else [section, *(f"{section}.{key}" for key in values)]
        )
    return [name for name in names if name in RETIRED]


def build(kind: type[T], raw: dict[str, Any], where: str) -> T:
    """Make a config dataclass of plain values, section by section.

    Raises:
        ConfigError: names the key, and the nearest known one where a key is unknown.
    """
    try:
        return build_strictly(kind, raw, where)
    except FieldError as err:
        raise ConfigError(str(err)) from err


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ConfigError(f"{name} must be >= {least}, got {value}")
