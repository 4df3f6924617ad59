"""The training configuration: one TOML file, frozen dataclasses, no unknown keys.

Every default is what training uses when the file is silent; the resolved whole goes into the
manifest. Configs live here together because they are read, checked and recorded together.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from data.split import SplitConfig
from router.strict import FieldError
from router.strict import build as build_strictly

from .errors import ConfigError

T = TypeVar("T")
METHODS = (
    "cluster",
    "knn",
    "ridge",
    "logistic",
    "tiered",
    "kernel",
    "taste",
    "labels",
    "utility",
    "trees",
)
DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The sentence encoder; everything downstream learns from its exported file."""

    model: str = DEFAULT_ENCODER  # a sentence-transformers name or folder
    depths: tuple[float, ...] = (
        1.0,
        0.67,
    )  # shares of its layers to try; see training.selection.depth
    precision: str = "int8"  # "int8" or "fp32"
    max_tokens: int = 256  # time is linear in tokens
    max_chars: int = 4000
    min_cosine: float = 0.99  # int8 is kept only at this mean cosine to fp32

    def __post_init__(self) -> None:
        if self.precision not in {"int8", "fp32"}:
            raise ConfigError(f"encoder.precision must be int8 or fp32, got {self.precision!r}")
        if not self.depths or not all(0.0 < depth <= 1.0 for depth in self.depths):
            raise ConfigError(
                f"encoder.depths must be shares of the layers above 0 and up to 1, "
                f"got {list(self.depths)}"
            )
        _at_least("encoder.max_tokens", self.max_tokens, 8)
        _at_least("encoder.max_chars", self.max_chars, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmsConfig:
    """Which arms are learned."""

    min_coverage: float = 0.9  # of the prompts that the best-covered arm answered
    min_rows: int = 30  # training rows
    prices: str | None = None  # CSV of dated list prices; null: read off the table's own costs
    catalogue: str | None = None  # TOML or JSON: capabilities, prices, latency, tiers


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

    k: tuple[int, ...] = (8, 16, 32, 64, 128)  # candidates; cross-validated regret chooses
    min_rows_per_cluster: int = 12  # larger k than rows / this is not tried
    blend: int = 4  # nearest centroids whose values are blended
    sharpness: float = 10.0  # softmax weight of cosine similarity
    prior_rows: float = 20.0  # pseudo-rows of the arm's mean in every cell
    fit_rows: int = 50_000  # centroids are fitted on at most so many prompts


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
    width: tuple[float, ...] = (1.0, 2.0)  # γ in exp(-γ·squared distance)
    alpha: tuple[float, ...] = (3.0, 10.0, 30.0)
    feature_scale: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteConfig:
    """Neighbours in the embedding joined with contrasts that a kernel head predicts."""

    k: tuple[int, ...] = (100, 200, 400)
    weight: float = 0.5  # root mean square length of the contrasts beside a unit embedding
    width: float = 2.0  # the head's γ and ridge penalty
    alpha: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearConfig:
    """Multi-output ridge and logistic heads on [embedding, text features]."""

    ridge: tuple[float, ...] = (10.0, 30.0, 100.0, 300.0)
    logistic: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0)
    feature_scale: float = 0.05  # of a standardised text feature beside unit embeddings
    iterations: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredConfig:
    """A model's utility plus a tier's effect; for tables in which some model has two tiers.

    `tier` and `arm` are spreads of the effects' slopes, over that of the models'; the levels are
    spreads in logits.
    """

    alpha: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0)
    tier: float = 0.5
    arm: float = 0.3
    model_level: float = 10.0
    tier_level: float = 1.0
    arm_level: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsConfig:
    """Tables by the task label that a prompt seems to have; for rows that come with labels."""

    alpha: tuple[float, ...] = (0.05, 0.5)  # penalty of the classifier
    min_rows: int = 20  # prompts that a label needs to count
    most: int = 100  # labels, the most frequent ones
    max_rows: int = 20_000  # the classifier is fitted on at most so many prompts
    iterations: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityConfig:
    """One utility of labels and battles; it takes part where there are pairs."""

    alpha: tuple[float, ...] = (1.0, 3.0, 10.0)
    weights: tuple[float, ...] = (1.0, 0.3, 0.1, 0.0)  # of a source's battle beside a label
    components: int = 128  # principal components of embedding and text features
    iterations: int = 100
    length: bool = True  # learn a judge's taste for long answers, and leave it out
    min_battles: int = 30  # that an arm without labels needs to be routed to


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesConfig:
    """LightGBM per arm on low-dimensional inputs and the other methods' predictions."""

    rounds: int = 60
    leaves: int = 15
    learning_rate: float = 0.05
    min_rows_per_leaf: int = 30
    components: int = 48  # principal components of the embedding
    builds_on: tuple[str, ...] = ("logistic",)  # whose predictions may be inputs, if that helps
    max_rows: int = 60_000  # trees train on at most so many prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """How the methods are combined."""

    mean_weight: float = 0.0  # share of the plain mean; the rest is weighed by evidence
    sharpness: tuple[float, ...] = (1.0, 1.25)  # factors on contrasts that candidates may have
    belief: float = 2.0  # e^-this is the weight of what is a standard error behind the best

    def __post_init__(self) -> None:
        if not self.sharpness or not all(factor > 0.0 for factor in self.sharpness):
            raise ConfigError(f"stack.sharpness must be above 0, got {list(self.sharpness)}")
        if not 0.0 <= self.mean_weight <= 1.0 or self.belief < 0.0:
            raise ConfigError(
                f"stack.mean_weight must lie between 0 and 1 and stack.belief not below 0, got "
                f"{self.mean_weight} and {self.belief}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """Per-arm calibration on a fold that neither models nor stack saw."""

    method: str = "platt"  # "platt" or "none"
    prior_rows: tuple[float, ...] = (300.0, 3000.0, 30000.0)  # that pull an arm to the pool

    def __post_init__(self) -> None:
        if self.method not in {"platt", "none"}:
            raise ConfigError(f"calibration.method must be platt or none, got {self.method!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionConfig:
    """Constants of the decision rule that inner folds choose from."""

    tie_bands: tuple[float, ...] = (0.0, 0.1, 0.2, 0.35, 0.5)  # in standard errors
    default_threshold: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that training can be told."""

    seed: int = 0
    predictors: tuple[str, ...] = METHODS
    split: SplitConfig = field(default_factory=SplitConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    arms: ArmsConfig = field(default_factory=ArmsConfig)
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    knn: KnnConfig = field(default_factory=KnnConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    kernel: KernelConfig = field(default_factory=KernelConfig)
    tiered: TieredConfig = field(default_factory=TieredConfig)
    taste: TasteConfig = field(default_factory=TasteConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    utility: UtilityConfig = field(default_factory=UtilityConfig)
    trees: TreesConfig = field(default_factory=TreesConfig)
    stack: StackConfig = field(default_factory=StackConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)

    def __post_init__(self) -> None:
        unknown = [name for name in self.predictors if name not in METHODS]
        if unknown:
            near = get_close_matches(unknown[0], METHODS, n=1, cutoff=0.0)
            raise ConfigError(f"unknown predictor {unknown[0]!r}; did you mean {near[0]!r}?")
        # trees build on the others, so the order is the list's, not the file's
        ordered = tuple(name for name in METHODS if name in self.predictors)
        object.__setattr__(self, "predictors", ordered)
        if not ordered:
            raise ConfigError(f"predictors is empty; name some of {', '.join(METHODS)}")

    def to_dict(self) -> dict[str, Any]:
        """The resolved configuration as plain values."""
        return asdict(self)


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
    return build(TrainConfig, raw, "")


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
