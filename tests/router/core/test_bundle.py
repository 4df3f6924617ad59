"""A bundle is served whole and unchanged, or not at all."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router import Bundle, BundleError, Router
from router.core.bundle import find_bundle
from router.core.manifest import read_manifest, with_public


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


FILES = ["router.onnx", "golden.json", "card.md", "encoder/model.onnx", "encoder/tokenizer.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "empty", "append"])
def test_a_damaged_file_is_refused_by_name(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        changed = {
            "flip": flipped,
            "truncate": content[:-7],
            "empty": b"",
            "append": content + b"x",
        }[damage]
        path.write_bytes(changed)
    with pytest.raises(BundleError, match=name):
        Bundle.load(copy)


def test_files_that_were_swapped_are_refused(copy: Path) -> None:
    one, other = copy / "router.onnx", copy / "encoder/model.onnx"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    with pytest.raises(BundleError, match="manifest.json says"):
        Bundle.load(copy)


@pytest.mark.parametrize("protocol", [0, 2, "1", None])
def test_a_foreign_protocol_is_refused_and_named(copy: Path, protocol: object) -> None:
    edit(copy, lambda raw: raw.update(protocol=protocol))
    with pytest.raises(BundleError, match=rf"protocol {protocol!r}; this version reads \[1\]"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw.pop("arms"), "manifest.json is damaged"),
        (lambda raw: raw["arms"].append(raw["arms"][0]), "names an arm twice"),
        (
            lambda raw: raw.update(
                arms=raw["arms"][:-1],
                decision=raw["decision"] | {"best_single": 0, "default_arm": 0},
            ),
            "router.onnx scores 6 arms, manifest.json names 5",
        ),
        (lambda raw: raw["decision"].update(best_single=99), "best_single is 99"),
        (lambda raw: raw["threshold_map"]["threshold"].reverse(), "must rise in threshold"),
        (lambda raw: raw["files"].pop("router.onnx"), "does not list router.onnx"),
        (lambda raw: raw.update(feature_version=99), "text features version 99"),
        (
            lambda raw: raw["files"].update({"../x": {"sha256": "0", "bytes": 1}}),
            "outside the bundle",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    edit(copy, change)
    with pytest.raises(BundleError, match=words):
        Bundle.load(copy)


def test_a_manifest_that_is_cut_off_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(BundleError, match="manifest.json is damaged"):
        Bundle.load(copy)


def test_other_golden_answers_are_refused_even_with_the_right_hash(copy: Path) -> None:
    from router.core.bundle import file_sha256

    path = copy / "golden.json"
    rows = json.loads(path.read_text())
    for row in rows:
        row["quality"] = [1.0 - value for value in row["quality"]]
    path.write_text(json.dumps(rows))
    entry = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    edit(copy, lambda raw: raw["files"].update({"golden.json": entry}))
    with pytest.raises(BundleError, match="golden.json is not reproduced"):
        Bundle.load(copy)


def test_a_folder_without_a_manifest_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no manifest.json"):
        Router.load(tmp_path)
    with pytest.raises(BundleError, match="is not a folder"):
        Router.load(tmp_path / "absent")


def test_the_one_bundle_inside_a_folder_is_found(copy: Path) -> None:
    assert find_bundle(copy.parent) == copy
    shutil.copytree(copy, copy.parent / "second")
    with pytest.raises(BundleError, match="bundle, second"):
        find_bundle(copy.parent)


def test_external_data_is_refused(copy: Path, tmp_path: Path) -> None:
    import onnx

    from router.core.encoder import EXTERNAL_DATA, open_session

    model = onnx.load(copy / "router.onnx")
    path = tmp_path / "outside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(BundleError, match="external data"):
        open_session(path)
    beside = (1 << 20) - len(EXTERNAL_DATA) // 2
    path.write_bytes(bytes(beside) + EXTERNAL_DATA)  # over the border of two blocks that are read
    with pytest.raises(BundleError, match="external data"):
        open_session(path)


def test_bundles_with_the_same_encoder_share_it(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bundle, tmp_path / "copy")
    first, second = Bundle.load(tiny_bundle), Bundle.load(copy)
    assert first.encoder is second.encoder
    assert first.scorer is not second.scorer


def test_what_a_manifest_leaves_unknown_of_public_models_is_filled(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    first = dataclasses.replace(
        manifest.arms[0], model="openai/o1-mini", vision=True, context_tokens=10
    )
    filled = with_public(dataclasses.replace(manifest, arms=(first, *manifest.arms[1:])))
    info = filled.arms[0]
    assert (info.system_role, info.json, info.retired) == (False, False, "2025-10-27")
    assert (info.vision, info.context_tokens) == (True, 10)  # as the bundle has it
    assert info.usd_per_1m_input == first.usd_per_1m_input
    assert filled.arms[1:] == manifest.arms[1:]  # made-up models are of no catalogue
