"""`bentoml build` makes a Bento that serves, from what the repository says it holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BENTOFILE = yaml.safe_load((ROOT / "bentofile.yaml").read_text("utf-8"))


def pins(lines: list[str]) -> dict[str, str]:
    """Name -> version, names spelt as PyPI compares them."""
    found = (line.split("#")[0].strip().partition("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in found if version}


def test_the_bento_installs_the_versions_of_the_constraints() -> None:
    known = pins((ROOT / "constraints.txt").read_text("utf-8").splitlines())
    wanted = pins(BENTOFILE["python"]["packages"])
    assert len(wanted) == len(BENTOFILE["python"]["packages"])
    assert wanted.items() <= known.items()


def test_the_bento_has_everything_that_serving_imports() -> None:
    code = (
        "import sys, importlib.metadata as m\n"
        "import serving.app, serving.cli, onnxruntime, tokenizers, uvloop, httptools\n"
        "owners = m.packages_distributions()\n"
        "tops = {name.split('.')[0] for name in sys.modules}\n"
        "print(*sorted({o.lower() for t in tops for o in owners.get(t, [])}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    direct = {"click", "msgspec", "numpy", "onnxruntime", "prometheus-client", "tokenizers"}
    loaded = {name.replace("_", "-") for name in done.stdout.split()}
    assert direct <= loaded
    assert direct <= set(pins(BENTOFILE["python"]["packages"]))


@pytest.mark.service
def test_a_built_bento_serves_its_own_starter(
    run_service: Callable[..., Any], tiny_bundle: Path, tmp_path: Path
) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    for name in ("router", "serving"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copy(ROOT / "bentofile.yaml", checkout)
    shutil.copytree(tiny_bundle, checkout / "artifacts" / "starter")
    (checkout / "artifacts" / "prompts.parquet").write_bytes(b"not for the Bento")
    subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=checkout,
        env={**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"},
        capture_output=True,
        check=True,
    )
    (bento,) = (home / "bentos" / "tierwise").glob("*/bento.yaml")
    shutil.rmtree(checkout)  # the Bento stands alone
    held = {p.relative_to(bento.parent / "src").parts[0] for p in (bento.parent / "src").rglob("*")}
    assert held == {"router", "serving", "artifacts", "bentofile.yaml"}
    assert not list(bento.parent.rglob("*.parquet"))
    running = run_service(["bentoml", "serve", "tierwise:latest"], BENTOML_HOME=str(home))
    running.wait(200)
    assert running({"prompt": "What is 17*23?", "threshold": 0.3}).status == 200
    assert running(path="/", headers={}).status == 200  # with its templates
    assert running(path="/assets/page.css", headers={}).status == 200
    assert str(home) in running.log  # the bundle came from the Bento
