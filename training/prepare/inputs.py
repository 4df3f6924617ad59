"""Prompts as vectors: embeddings by the encoder that goes into the bundle, and text features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from router.core import features
from router.core.encoder import Encoder
from router.request.ask import find_ask
from router.types import Bools, Floats, Ints

from ..config import EncoderConfig
from ..progress import Reporter
from .embed import embed
from .encoder import ExportedEncoder, export_encoder


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known of n prompts before anybody answers them."""

    embedding: Floats  # (n, d) unit rows
    features: Floats  # (n, f) `router.core.features`

    def __len__(self) -> int:
        return len(self.embedding)

    def rows(self, chosen: Bools | Ints | slice) -> Inputs:
        """Some of the prompts, by mask (n,), row numbers or slice."""
        return Inputs(self.embedding[chosen], self.features[chosen])

    def in_any_script(self) -> Inputs:
        """The prompts as if all were of one script: what is learned of them does not ask for it."""
        seen = self.features.copy()
        seen[:, features.NAMES.index(features.SCRIPT)] = 0.0
        return Inputs(self.embedding, seen)


class _WhenNeeded:
    """An exported encoder that is opened for the first text that no cache has."""

    def __init__(self, exported: ExportedEncoder) -> None:
        self._exported = exported
        self._lock = Lock()  # texts are embedded on several threads
        self._opened: Encoder | None = None

    @property
    def dimension(self) -> int:
        return self._exported.info.dimension

    def encode(self, texts: Sequence[str]) -> Floats:
        with self._lock:
            self._opened = self._opened or self._exported.open()
        return self._opened.encode(texts)


def open_encoder(config: EncoderConfig, cache: Path, reporter: Reporter) -> ExportedEncoder:
    """Export the encoder, or find its export.

    Args:
        config: which encoder, how deep.
        cache: folder of encoder exports and embeddings.
        reporter: shows the export as a stage.
    """
    with reporter.stage("export encoder", 1) as stage:
        encoder = export_encoder(config, cache / "encoders")
        stage.advance()
        info = encoder.info
        stage.note(f"{info.precision}, cosine to fp32 {info.cosine_to_fp32}")
    return encoder


def embed_inputs(
    texts: tuple[str, ...], encoder: ExportedEncoder, cache: Path, reporter: Reporter
) -> Inputs:
    """Embed the prompts by an exported encoder and compute their text features."""
    return inputs_by(_WhenNeeded(encoder), encoder.sha256, texts, cache, reporter)


def inputs_by(
    encoder: Encoder, sha256: str, texts: tuple[str, ...], cache: Path, reporter: Reporter
) -> Inputs:
    """The same by any encoder; embeddings are cached under `sha256`, that of its model.

    Of a prompt its ask is read, as of a request.
    """
    asks = tuple(find_ask([text]).text for text in texts)
    folder = cache / "embeddings" / f"{sha256[:16]}-{features.VERSION}"
    return Inputs(embed(asks, encoder, folder, reporter), features.extract(asks))
