"""The starter router: heads trained on public outcomes, committed; the encoder is added here.

The repository holds the heads alone, a megabyte or so with no prompt in it. `assemble` exports
the encoder from its packaged weights and puts the two together; `build` trains the heads anew.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from data.tables import load_tables
from router.atomic import replaced_folder
from router.core.bundle import (
    ENCODER,
    ENCODER_FILES,
    GOLDEN,
    HEADS,
    Bundle,
    file_sha256,
    verify_files,
)
from router.core.manifest import MANIFEST, Manifest, read_manifest
from router.core.map_rows import MAP_ROWS, read_map_rows
from router.errors import BundleError

from .bundle.export import CARD, finish
from .bundle.oof_predictions import OOF_PREDICTIONS, arrays_of, constants
from .config import load_config, recorded
from .errors import TrainingError
from .pipeline import train
from .prepare.encoder import ExportedEncoder, export_encoder
from .progress import Reporter

COMMITTED = Path("serving/starter")
ASSEMBLED = Path(__file__).resolve().parent.parent / "artifacts" / "starter"  # by `make setup`
SOURCE = "zeroeval"  # arms of different sets share too few models for one honest joint training
HEAD_FILES = (HEADS, GOLDEN, MAP_ROWS, CARD, MANIFEST)


def assemble(heads: Path, out: Path, cache: Path) -> Manifest:
    """Put committed heads and a freshly exported encoder together.

    The encoder's weights must be those that the heads were trained on. Another build of the
    exporter may write other bytes for them; the bundle then gets an id of its own, and only
    counts if it still reproduces its golden prompts.

    Raises:
        BundleError: a committed file is damaged, or the golden prompts get other answers.
        TrainingError: the encoder's weights are others.
    """
    manifest = read_manifest(heads)
    encoder = _encoder(manifest, cache)
    with replaced_folder(out) as building:
        for name in HEAD_FILES:
            shutil.copyfile(heads / name, building / name)
            listed = manifest.files.get(name)  # all but the manifest; `finish` would list anew
            if listed is not None and file_sha256(building / name) != listed.sha256:
                raise BundleError(f"{name} in {heads} is damaged: its sha256 is not the manifest's")
        (building / ENCODER).mkdir()
        for name in ENCODER_FILES:
            shutil.copyfile(encoder.folder / name, building / ENCODER / name)
        if encoder.sha256 != manifest.files[f"{ENCODER}/model.onnx"].sha256:
            manifest = finish(building, manifest)
        verify_files(building, manifest)
        Bundle.load(building)
    return manifest


def rebuild(datasets: Path, out: Path, cache: Path, reporter: Reporter) -> Manifest:
    """Train the heads from the public outcomes in `datasets` and write them to `out`."""
    config = load_config(COMMITTED / "train.toml")
    prompts = datasets / f"{SOURCE}.prompts.parquet"
    tables = load_tables(datasets / f"{SOURCE}.parquet", prompts, split=config.split)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        trained = train(tables, config, bundle, cache, reporter)
        # outcomes row by row are a dataset, which is not committed
        (bundle / OOF_PREDICTIONS).unlink()
        rows = read_map_rows(bundle / MAP_ROWS).unlabelled()
        (bundle / MAP_ROWS).write_bytes(constants(arrays_of(rows)))
        manifest = finish(bundle, trained.manifest)
        out.mkdir(parents=True, exist_ok=True)
        for name in HEAD_FILES:
            shutil.copyfile(bundle / name, out / name)
    return manifest


def _encoder(manifest: Manifest, cache: Path) -> ExportedEncoder:
    config = replace(recorded(manifest.config).encoder, depth=manifest.encoder.depth)
    encoder = export_encoder(config, cache / "encoders")
    expected = manifest.encoder.weights_sha256
    if encoder.info.weights_sha256 != expected:
        raise TrainingError(
            f"the starter heads were trained on encoder weights {expected[:12]}…, "
            f"{config.model} has {encoder.info.weights_sha256[:12]}…"
        )
    return encoder
