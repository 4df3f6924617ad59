"""The starter router: heads trained on public outcomes, committed; the encoder is added here.

The repository holds the heads alone, a megabyte or so with no prompt in it: one set for the default
encoder and one for the multilingual encoder. `assemble` exports the encoder from its packaged
weights and puts the two together; `build` trains the heads anew.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from data.collection import read_collection
from data.pricelists import load_prices
from data.tables import load_sources
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
from .bundle.oof_predictions import OOF_PREDICTIONS, compacted, constants
from .config import UNIVERSAL, load_config, recorded
from .errors import TrainingError
from .pipeline import train
from .prepare.dataset import build_dataset, offered_arms
from .prepare.encoder import ExportedEncoder, export_encoder
from .progress import Reporter
from .starter_prices import write_prices

COMMITTED = Path("serving/starter")
ASSEMBLED = Path(__file__).resolve().parent.parent / "artifacts" / "starter"  # by `make setup`
MULTILINGUAL = COMMITTED / "multilingual"  # trained alike, on the multilingual encoder
PRICES = COMMITTED / "prices.csv"
COLLECTION = Path(__file__).parent / "benchmarks" / "collection.toml"
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


def rebuild(
    datasets: Path, out: Path, cache: Path, reporter: Reporter, *, multilingual: bool = False
) -> Manifest:
    """Train the heads from the public outcomes in `datasets` and write them to `out`."""
    config = load_config(COMMITTED / "train.toml")
    if multilingual:
        config = replace(config, encoder=replace(config.encoder, model=UNIVERSAL))
    sources = read_collection(COLLECTION, datasets)
    tables = load_sources(sources, split=config.split, prices=load_prices(PRICES))
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        trained = train(tables, config, bundle, cache, reporter)
        # outcomes row by row are a dataset, which is not committed
        (bundle / OOF_PREDICTIONS).unlink()
        rows = read_map_rows(bundle / MAP_ROWS)
        (bundle / MAP_ROWS).write_bytes(constants(compacted(rows)))
        manifest = finish(bundle, trained.manifest)
        out.mkdir(parents=True, exist_ok=True)
        for name in HEAD_FILES:
            shutil.copyfile(bundle / name, out / name)
    return manifest


def price(datasets: Path, listed: Path, day: date) -> int:
    """Write what the offered arms' models cost on a day; returns how many there are.

    Raises:
        TrainingError: a pattern of arms.offered fits no arm, or a model has no price.
    """
    config = load_config(COMMITTED / "train.toml")
    tables = load_sources(read_collection(COLLECTION, datasets), split=config.split).learned()
    arms = build_dataset(tables, config.arms).arms
    offered = offered_arms(arms, config.arms)
    models = [arm.model for arm, kept in zip(arms, offered, strict=True) if kept]
    return write_prices(models, listed, day, PRICES)


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
