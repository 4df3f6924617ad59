"""One TOML file: defaults for what it leaves out, an error for what it gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config import (
    METHODS,
    EncoderConfig,
    LabelsConfig,
    LinearConfig,
    TrainConfig,
    build,
    load_config,
    recorded,
    retired,
)
from training.errors import ConfigError


def read(tmp_path: Path, text: str) -> TrainConfig:
    path = tmp_path / "train.toml"
    path.write_text(text)
    return load_config(path)


def test_an_empty_file_is_every_default(tmp_path: Path) -> None:
    assert read(tmp_path, "") == TrainConfig() == load_config(None)


def test_values_reach_their_section(tmp_path: Path) -> None:
    config = read(tmp_path, 'seed = 3\n[cluster]\nk = [4, 8]\n[encoder]\nprecision = "fp32"\n')
    assert (config.seed, config.cluster.k, config.encoder.precision) == (3, (4, 8), "fp32")


def test_one_number_will_do_where_a_list_is_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, "[cluster]\nk = 16\n").cluster.k == (16,)


def test_methods_have_one_order_however_a_file_names_them(tmp_path: Path) -> None:
    config = read(tmp_path, 'predictors = ["kernel", "cluster"]')
    assert config.predictors == ("cluster", "kernel")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sed = 1", "unknown key sed; did you mean seed?"),
        ("[cluster]\nblended = 1", "unknown key cluster.blended; did you mean cluster.blend?"),
        ('[cluster]\nsharpness = "high"', "cluster.sharpness must be float, got 'high'"),
        ("[folds]\nfolds = true", "folds.folds must be int, got True"),
        ("[folds]\nfolds = 1", "folds.folds must be >= 3, got 1"),
        ("cluster = 3", r"cluster is a section; write \[cluster\]"),
        ('[encoder]\nprecision = "int4"', "must be int8 or fp32, got 'int4'"),
        ("[split]\ntest_share = 2.0", r"split.test_share must lie in \[0, 1\), got 2.0"),
        ('predictors = ["knnn"]', "unknown predictor 'knnn'; did you mean 'knn'?"),
        ('predictors = ["taste"]', "predictors.taste: knn is level with it"),
        ("[trees]\nrounds = 3", "trees: trees learn the level that all arms share"),
        ("[encoder]\ndepths = [1.0]", "encoder.depths: one depth is exported, see encoder.depth"),
        ("[encoder]\ndepth = 0.0", "encoder.depth must be a share of the layers"),
        ("[encoder]\ndepth = 1.5", "encoder.depth must be a share of the layers"),
        ("[stack]\nbelief = 2.0", "stack.belief: the stack is a plain mean"),
        ("[stack]\nsharpness = 0.0", "stack.sharpness must be above 0"),
        ("[stack]\nlevel_share = 2.0", "stack.level_share must lie between 0 and 1"),
        ("[stack]\nwithin = -1.0", "stack.within must not be below 0"),
        ("predictors = []", "predictors is empty"),
        ("seed = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_says_what_would_be_right(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent.toml cannot be read"):
        load_config(tmp_path / "absent.toml")


def test_the_resolved_configuration_reads_back_from_a_manifest() -> None:
    import json

    config = TrainConfig(seed=5, predictors=METHODS[:2])
    assert build(TrainConfig, json.loads(json.dumps(config.to_dict())), "") == config


def test_a_bundle_of_an_earlier_release_is_read_without_what_is_retired() -> None:
    old = {
        "seed": 4,
        "predictors": ["cluster", "ridge", "taste", "trees"],
        "encoder": {"depths": [1.0, 0.67], "precision": "fp32"},
        "linear": {"ridge": [10.0], "logistic": [3.0], "feature_scale": 0.1, "iterations": 80},
        "taste": {"k": [100]},
        "trees": {"rounds": 60},
        "stack": {"mean_weight": 0.0, "sharpness": [1.0, 1.25], "belief": 2.0},
        "labels": {"alpha": [0.5], "min_rows": 9, "iterations": 100},
    }
    config = recorded(old)
    assert config == TrainConfig(
        seed=4,
        predictors=("cluster",),
        encoder=EncoderConfig(precision="fp32"),
        linear=LinearConfig(feature_scale=0.1),
        labels=LabelsConfig(min_rows=9),
    )
    assert {"predictors.taste", "trees", "encoder.depths", "stack.belief"} <= set(retired(old))
    assert recorded({"predictors": ["taste"]}).predictors == METHODS
    assert retired(TrainConfig().to_dict()) == []
    assert recorded(TrainConfig().to_dict()) == TrainConfig()
