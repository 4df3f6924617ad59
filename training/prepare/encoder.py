"""Export the sentence encoder to ONNX once, quantise it, and keep it.

Serving feeds token ids and gets unit vectors. Heads are trained on embeddings of the very file that
is served; an export is therefore cached by the content of its weights and settings and never made
twice. `universal` and `transformer` write the two kinds of encoders.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from router.atomic import replaced_folder
from router.core.bundle import ENCODER, Bundle, file_sha256, open_encoder
from router.core.encoder import OnnxEncoder
from router.core.manifest import EncoderInfo

from ..config import UNIVERSAL, EncoderConfig
from .golden import GOLDEN_PROMPTS
from .languages import language_axes
from .transformer import export_transformer, quiet, transformer_source
from .universal import exact_nodes, export_universal, universal_source

EXPORT_VERSION = 4  # bump when the same weights would export to another file


@dataclass(frozen=True, slots=True)
class ExportedEncoder:
    """An exported encoder on disk."""

    folder: Path  # holds model.onnx and tokenizer.json
    info: EncoderInfo
    sha256: str  # of model.onnx; what embeddings are cached under

    @classmethod
    def of(cls, bundle: Bundle) -> ExportedEncoder:
        """A bundle's own, of which every embedding must be that its heads are to read."""
        manifest = bundle.manifest
        return cls(bundle.path / ENCODER, manifest.encoder, manifest.encoder_sha256)

    def open(self) -> OnnxEncoder:
        """Open it as serving does."""
        tokenizer = file_sha256(self.folder / "tokenizer.json")
        return open_encoder(self.folder, self.info, (self.sha256, tokenizer))


def export_encoder(config: EncoderConfig, cache: Path) -> ExportedEncoder:
    """Export the configured encoder, or take it from the cache.

    Args:
        config: which model, how deep, at which precision.
        cache: folder of earlier exports, which other processes may write to at the same time.
    Raises:
        TrainingError: the model cannot be found or its weights are not the expected ones.
    """
    if config.model == UNIVERSAL:
        config = replace(config, depth=1.0)  # it has no layers to leave out
        source, weights = universal_source()
    else:
        source, weights = transformer_source(config.model)
    folder = cache / _key(config, weights)
    if not (folder / "encoder.json").is_file():
        with replaced_folder(folder, keep=True) as building:  # another's may be in use
            _build(config, source, weights, building)
    raw = json.loads((folder / "encoder.json").read_text("utf-8"))
    return ExportedEncoder(folder, EncoderInfo(**raw), file_sha256(folder / "model.onnx"))


def _key(config: EncoderConfig, weights: str) -> str:
    text = json.dumps([EXPORT_VERSION, weights, asdict(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _build(config: EncoderConfig, source: Path, weights: str, folder: Path) -> None:
    full, model = folder / "fp32.onnx", folder / "model.onnx"
    if config.model == UNIVERSAL:
        dimension = export_universal(source, folder, language_axes())
    else:
        dimension = export_transformer(source, config.depth, folder)
    precision, cosine = "fp32", None
    if config.precision == "int8":
        _quantise(full, model)
        cosine = _cosine(folder, dimension, config)
        if cosine >= config.min_cosine:
            precision = "int8"
    if precision == "fp32":
        full.replace(model)
    else:
        full.unlink()  # four times as large, and of no further use
    info = EncoderInfo(
        name=config.model,
        weights_sha256=weights,
        precision=precision,
        dimension=dimension,
        max_tokens=config.max_tokens,
        max_chars=config.max_chars,
        cosine_to_fp32=None if cosine is None else round(cosine, 4),
        depth=config.depth,
    )
    text = json.dumps(asdict(info), indent=1, sort_keys=True)
    (folder / "encoder.json").write_text(text + "\n", "utf-8")


def _quantise(full: Path, path: Path) -> None:
    """Dynamic int8 with one scale per output channel: the accurate and the fast one here."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():
        # 7-bit weights: processors without VNNI add pairs of products in 16 bits, which 8 bits
        # overflow and then saturate, so that embeddings would follow from the processor
        quantize_dynamic(
            str(full),
            str(path),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=exact_nodes(full),
        )


def _cosine(folder: Path, dimension: int, config: EncoderConfig) -> float:
    """Mean cosine between int8 and fp32 embeddings of the golden prompts.

    They are the same for every table: one set of weights has one export, whoever asks first.
    """
    parts = []
    for name in ("fp32.onnx", "model.onnx"):
        encoder = OnnxEncoder(
            folder,
            model=name,
            dimension=dimension,
            max_tokens=config.max_tokens,
            max_chars=config.max_chars,
        )
        parts.append(encoder.encode(GOLDEN_PROMPTS))
    return float((parts[0] * parts[1]).sum(axis=1).mean())
