"""The wheel holds `router/` and nothing else of ours."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_holds_the_core_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("tierwise-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"router"}
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "router").rglob("*.py")}
    assert code <= set(names)
    assert {"router/catalogue/public.json", "router/request/estimate.npz"} <= set(names)
    assert "router/py.typed" in names  # type checkers ignore the hints of a package without it
