"""Write a bundle: models, golden answers, card, and last of all the manifest.

A bundle is built in a temporary sibling and renamed, so a folder with a manifest is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import onnx

from router.atomic import replaced_folder
from router.core.bundle import (
    ENCODER,
    ENCODER_FILES,
    GOLDEN,
    HEADS,
    REQUIRED,
    Bundle,
    file_sha256,
)
from router.core.manifest import MANIFEST, FileEntry, Manifest
from router.core.map_rows import MAP_ROWS, MapRows

from ..errors import ExportError
from ..prepare.encoder import ExportedEncoder
from ..prepare.golden import GOLDEN_PROMPTS
from .card import render_card
from .oof_predictions import OOF_PREDICTIONS, OofPredictions, arrays_of, constants

CARD = "card.md"
OPTIONAL = (OOF_PREDICTIONS, MAP_ROWS)


def write_bundle(
    out: Path,
    manifest: Manifest,
    heads: onnx.ModelProto,
    encoder: ExportedEncoder,
    oof: OofPredictions | None = None,
) -> Manifest:
    """Write the bundle `out`, replacing an older bundle there, and load it back once.

    Args:
        out: the bundle's folder.
        manifest: everything but `files` and `bundle_id`, which are filled in.
        heads: the graph of `router.onnx`.
        encoder: the exported encoder whose embeddings the heads were trained on.
        oof: out-of-fold predictions of the training rows, if any.
    Returns:
        The completed manifest.
    Raises:
        ExportError: `out` exists and is no bundle.
    """
    return _write(out, manifest, heads.SerializeToString(), encoder.folder, oof, oof)


def rewrite_bundle(
    source: Path,
    out: Path,
    manifest: Manifest,
    *,
    heads: onnx.ModelProto | None = None,
    oof: OofPredictions | None = None,
    rows: MapRows | None = None,
) -> Manifest:
    """Write the bundle in `source` anew as `out` (both may be one folder), whole or not at all.

    Args:
        source: a bundle's folder, verified by whoever loaded it.
        out: the new bundle's folder.
        manifest: the new one; `files` and `bundle_id` are filled in.
        heads: a new graph, or None for the same.
        oof: out-of-fold predictions of the training rows, if any.
        rows: that maps of some of its arms are to be made of; left out, `oof`.
    Returns:
        The completed manifest.
    Raises:
        ExportError: `out` exists and is no bundle.
    """
    graph = (source / HEADS).read_bytes() if heads is None else heads.SerializeToString()
    return _write(out, manifest, graph, source / ENCODER, oof, oof if rows is None else rows)


def _write(
    out: Path,
    manifest: Manifest,
    heads: bytes,
    encoder: Path,
    oof: OofPredictions | None,
    rows: MapRows | None,
) -> Manifest:
    check_target(out)
    with replaced_folder(out) as building:
        (building / ENCODER).mkdir()
        for name in ENCODER_FILES:
            shutil.copyfile(encoder / name, building / ENCODER / name)
        (building / HEADS).write_bytes(heads)
        if oof is not None:
            (building / OOF_PREDICTIONS).write_bytes(oof.to_onnx())
        kept = None if rows is None else rows.sample(manifest.regions)
        if kept is not None:
            (building / MAP_ROWS).write_bytes(constants(arrays_of(kept)))
        answered = write_golden(building, manifest, kept)
        finished = finish(building, manifest)
        Bundle.load(building)  # shares the encoder that `answered` still holds open
        del answered
    return finished


def check_target(out: Path) -> None:
    """Refuse to overwrite what is not a bundle.

    Raises:
        ExportError: `out` exists, is not empty and holds no manifest.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (out.is_file() or any(out.iterdir())):
        raise ExportError(f"{out} exists and is not a bundle; name a new or an empty folder")


def write_golden(folder: Path, manifest: Manifest, rows: MapRows | None) -> Bundle:
    """Answer the golden prompts with the files in `folder`, and write the answers down.

    Args:
        folder: that holds heads and encoder.
        manifest: of the bundle.
        rows: that it keeps.
    Returns:
        What answered; it is not verified, for its manifest is not finished.
    """
    model, tokenizer = (file_sha256(folder / ENCODER / name) for name in ENCODER_FILES)
    bundle = Bundle.opened(folder, manifest, (model, tokenizer), rows)
    quality = bundle.score_texts(list(GOLDEN_PROMPTS)).quality
    answers = [
        {"text": text, "quality": [round(float(q), 6) for q in row]}
        for text, row in zip(GOLDEN_PROMPTS, quality, strict=True)
    ]
    text = json.dumps(answers, ensure_ascii=False, indent=0)
    (folder / GOLDEN).write_text(text + "\n", "utf-8")
    return bundle


def finish(folder: Path, manifest: Manifest) -> Manifest:
    """Hash every file, derive the bundle's id, write card and manifest, in this order."""
    files = {name: entry(folder / name) for name in REQUIRED}
    files |= {name: entry(folder / name) for name in OPTIONAL if (folder / name).is_file()}
    manifest = replace(manifest, files=files, bundle_id="")
    manifest = replace(manifest, bundle_id=bundle_id(manifest))
    (folder / CARD).write_text(render_card(manifest), "utf-8")
    manifest = replace(manifest, files={**files, CARD: entry(folder / CARD)})
    (folder / MANIFEST).write_text(manifest.to_json(), "utf-8")
    return manifest


def bundle_id(manifest: Manifest) -> str:
    """A name that follows from the content: files, arms, prices and decision constants."""
    content = asdict(replace(manifest, bundle_id="", versions={}))
    content["files"] = {name: e["sha256"] for name, e in content["files"].items() if name != CARD}
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def entry(path: Path) -> FileEntry:
    """Size and hash of a file."""
    return FileEntry(sha256=file_sha256(path), bytes=path.stat().st_size)
