"""Load a bundle: check every hash, open the models, replay the golden prompts.

A bundle is a folder of ONNX and JSON. Nothing in it is ever executed or unpickled, and nothing
is served from it before it has given the answers that it gave when it was built.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..errors import BundleError
from ..request.ask import find_ask
from ..types import Scores
from . import features
from .encoder import Encoder, OnnxEncoder
from .manifest import EncoderInfo, Manifest, read_manifest, with_public
from .map_rows import MAP_ROWS, MapRows, read_map_rows
from .scoring import Scorer

HEADS = "router.onnx"
GOLDEN = "golden.json"
ENCODER = "encoder"
BESIDE = "catalogue.toml"  # in a folder that holds a bundle, a newer catalogue over it
ENCODER_FILES = ("model.onnx", "tokenizer.json")
REQUIRED = (HEADS, GOLDEN, *(f"{ENCODER}/{name}" for name in ENCODER_FILES))

# Integer kernels differ between processors, and a tree can flip a leaf over it; a wrong or
# mismatched model is off by far more than this.
GOLDEN_MEAN_GAP = 0.02
GOLDEN_LARGEST_GAP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle, ready to score.

    Attributes:
        path: of its folder.
        manifest: with the operator's catalogue over it, if there is one.
        made: the manifest without that, at the prices that its constants were measured at.
        encoder: from text to vectors.
        scorer: from vectors to quality and cost.
        map_rows: that maps of some of its arms are made of; null in older bundles.
    """

    path: Path
    manifest: Manifest
    made: Manifest
    encoder: Encoder
    scorer: Scorer
    map_rows: MapRows | None

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Verify and open the bundle at `path`, or the one bundle inside it.

        What its manifest leaves unknown of public models is filled of the shipped catalogue.

        Raises:
            BundleError: a file is missing, damaged or not the one that the manifest names, the
                protocol is foreign, or the golden prompts get other answers.
        """
        folder = find_bundle(Path(path))
        manifest = with_public(read_manifest(folder))
        verify_files(folder, manifest)
        if manifest.feature_version != features.VERSION:
            raise BundleError(
                f"manifest.json needs text features version {manifest.feature_version}; "
                f"this version computes {features.VERSION}"
            )
        model, tokenizer = (manifest.files[f"{ENCODER}/{name}"].sha256 for name in ENCODER_FILES)
        rows = read_map_rows(folder / MAP_ROWS) if MAP_ROWS in manifest.files else None
        bundle = cls.opened(folder, manifest, (model, tokenizer), rows)
        bundle.replay_golden()
        return bundle

    @classmethod
    def opened(
        cls, folder: Path, manifest: Manifest, content: tuple[str, str], rows: MapRows | None
    ) -> Bundle:
        """Open the files in `folder`, which nobody verified.

        Args:
            folder: that holds heads and encoder.
            manifest: of the bundle.
            content: sha256 of the encoder's model and tokenizer.
            rows: that it keeps; null in older bundles.
        """
        return cls(
            path=folder,
            manifest=manifest,
            made=manifest,
            encoder=open_encoder(folder / ENCODER, manifest.encoder, content),
            scorer=Scorer(folder / HEADS, manifest, rows),
            map_rows=rows,
        )

    def score_texts(self, texts: list[str]) -> Scores:
        """Embed and score plain prompts, each of one turn."""
        n_chars = np.array([len(text) for text in texts], dtype=np.int64)
        asks = [find_ask([text]).text for text in texts]
        return self.scorer.score(self.encoder.encode(asks), features.extract(asks), n_chars)

    def replay_golden(self) -> None:
        """Answer the golden prompts again.

        Raises:
            BundleError: golden.json is damaged, or the answers moved.
        """
        rows = _read_golden(self.path / GOLDEN)
        got = self.score_texts([row["text"] for row in rows]).quality
        want = np.array([row["quality"] for row in rows], dtype=np.float64)
        if got.shape != want.shape:
            raise BundleError(
                f"{GOLDEN} has answers of {want.shape[-1]} arms, {HEADS} gives {got.shape[-1]}"
            )
        gap = np.abs(got - want)
        if not (gap.mean() <= GOLDEN_MEAN_GAP and gap.max() <= GOLDEN_LARGEST_GAP):
            raise BundleError(
                f"{GOLDEN} is not reproduced: quality is off by {gap.mean():.4f} on average and "
                f"{gap.max():.4f} at most (allowed {GOLDEN_MEAN_GAP} and {GOLDEN_LARGEST_GAP})"
            )


# encoders in use, by content: a candidate beside the live bundle has mostly the same one, which
# then costs no second copy in memory and no second start
_OPEN: WeakValueDictionary[tuple[str, str, int, int], OnnxEncoder] = WeakValueDictionary()
_OPENING = Lock()


def open_encoder(folder: Path, info: EncoderInfo, content: tuple[str, str]) -> OnnxEncoder:
    """The encoder in a folder, or one in use with the same content.

    Args:
        folder: holds model.onnx and tokenizer.json.
        info: how it is run.
        content: sha256 of the two files.
    """
    key = (*content, info.max_tokens, info.max_chars)
    with _OPENING:
        found = _OPEN.get(key)
        if found is None:
            found = OnnxEncoder(
                folder,
                dimension=info.dimension,
                max_tokens=info.max_tokens,
                max_chars=info.max_chars,
            )
            _OPEN[key] = found
    return found


def find_bundle(path: Path) -> Path:
    """The bundle at `path`: itself, a store's live one, or the only sub-folder with a manifest."""
    if (path / "manifest.json").is_file() or not path.is_dir():
        return path
    inside = sorted(p.parent for p in path.glob("*/manifest.json"))
    if len(inside) > 1:
        names = ", ".join(p.name for p in inside)
        raise BundleError(f"{path} holds several bundles ({names}); name one of them")
    # a store's link may be renamed at any moment: follow it once
    return inside[0].resolve() if inside else path


def catalogue_beside(path: Path) -> Path | None:
    """The catalogue in a folder that holds a bundle, as `tierwise init` writes it; or null."""
    found = path / BESIDE
    return found if found.is_file() and not (path / "manifest.json").is_file() else None


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check name, size and sha256 of every file of the manifest.

    Raises:
        BundleError: names the first file that is missing, unexpected in place, or different.
    """
    for name in REQUIRED:
        if name not in manifest.files:
            raise BundleError(f"manifest.json does not list {name}, which a bundle needs")
    for name, entry in sorted(manifest.files.items()):
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise BundleError(f"manifest.json lists {name}, which lies outside the bundle")
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{name} is missing from the bundle {folder}")
        size = path.stat().st_size
        if size != entry.bytes:
            raise BundleError(f"{name} has {size} bytes, manifest.json says {entry.bytes}")
        found = file_sha256(path)
        if found != entry.sha256:
            raise BundleError(
                f"{name} is damaged: sha256 {found[:12]}…, manifest.json says {entry.sha256[:12]}…"
            )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_golden(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text("utf-8"))
        if rows and all(isinstance(r["text"], str) and r["quality"] for r in rows):
            return list(rows)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise BundleError(f"{path.name} is damaged: {err}") from err
    raise BundleError(f"{path.name} is damaged: expected a list of golden prompts with answers")
