"""What tells languages apart is taken out of the multilingual encoder's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from router.core.encoder import OnnxEncoder
from tests.worlds.translations import SAID
from training.config import UNIVERSAL, EncoderConfig
from training.prepare.cache import CACHE
from training.prepare.encoder import export_encoder
from training.prepare.languages import axes_of, language_axes, measured_axes, requests
from training.prepare.universal import DIMENSION, export_universal, universal_source


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    """The encoder with its languages in."""
    folder: Path = tmp_path_factory.mktemp("whole")
    export_universal(universal_source()[0], folder, np.zeros((0, DIMENSION), dtype=np.float32))
    return OnnxEncoder(folder, dimension=DIMENSION, model="fp32.onnx")


def test_the_same_requests_stand_in_every_language() -> None:
    said = requests()
    assert len(said) == 15
    assert {len(texts) for texts in said.values()} == {60}
    for texts in said.values():
        assert len({text.strip() for text in texts}) == 60


def test_the_committed_axes_are_what_is_measured() -> None:
    axes, anew = language_axes(), measured_axes()
    assert axes.shape == anew.shape == (14, DIMENSION)
    assert axes @ axes.T == pytest.approx(np.eye(14), abs=1e-5)
    assert np.abs(axes.T @ axes - anew.T @ anew).max() < 1e-3  # the same space; signs are free


def test_axes_are_those_along_which_languages_lie_apart() -> None:
    rng = np.random.default_rng(3)
    meaning = np.concatenate([rng.normal(size=(1, 40, 6)), np.zeros((1, 40, 2))], axis=2)
    language = np.concatenate([np.zeros((3, 1, 6)), rng.normal(size=(3, 1, 2))], axis=2)
    axes = axes_of(meaning + language)
    assert axes.shape == (2, 8)
    assert np.abs(axes[:, :6]).max() < 1e-9


@pytest.mark.parametrize(("said", "left"), [(requests(), 0.3), (SAID, 1.0)])
def test_what_tells_a_language_from_english_shrinks(
    whole: OnnxEncoder, said: dict[str, Sequence[str]], left: float
) -> None:
    served = export_encoder(EncoderConfig(model=UNIVERSAL), CACHE / "encoders").open()
    means = [
        np.stack([encoder.encode(texts).mean(axis=0) for texts in said.values()])
        for encoder in (whole, served)
    ]
    before, after = (np.linalg.norm(mean - mean[0], axis=1)[1:] for mean in means)
    assert (after < left * before).all()
