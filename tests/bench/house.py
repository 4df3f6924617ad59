"""The house before and after: files, lines, circles, functions, and the path of one prompt.

    python -m tests.bench.house [--base 0765c44]

The base is taken from git into a temporary folder; both are measured by the same code.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.house import PACKAGES, circles, file_graph, folder_graph, modules, upward
from training.prepare.cache import CACHE

# counts what one decision calls, by a profiler that looks at files of the checkout alone
TRACE = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from router import Policy, Router
router = Router.load(Path(sys.argv[1]))
router.route("What is 17*23?", Policy(threshold=0.3))
calls, ours = [], tuple(os.path.join(os.getcwd(), name, "") for name in sys.argv[2:])
def look(frame, event, _):
    name = frame.f_code.co_filename
    if event == "call" and name.startswith(ours):
        calls.append((name, frame.f_code.co_qualname))
sys.setprofile(look)
router.route("Why is the sky blue?", Policy(threshold=0.3))
sys.setprofile(None)
print(json.dumps([len(calls), len(set(calls)), len({name for name, _ in calls})]))
"""


def prompt_path(root: Path) -> str:
    """Calls, functions and files of `Router.route` on a new prompt, with the tree's own starter."""
    assemble = re.search(r"-m (\S+) assemble", (root / "Makefile").read_text("utf-8"))
    assert assemble is not None
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "starter"
        make = [sys.executable, "-m", assemble[1], "assemble", "--out", str(bundle)]
        for command in (
            [*make, "--cache", str(CACHE)],
            [sys.executable, "-c", TRACE, str(bundle), *PACKAGES],
        ):
            done = subprocess.run(
                command, cwd=root, env=environment, check=True, capture_output=True, text=True
            )
    calls, functions, files = json.loads(done.stdout.splitlines()[-1])
    return f"{calls} calls, {functions} functions, {files} files"


def figures(root: Path) -> dict[str, str]:
    """Every row of the table for one tree."""
    found = modules(root)
    lines = np.array([module.lines for module in found])
    functions = np.array([f.lines for module in found for f in module.functions])
    files = file_graph(root)
    folders = folder_graph(files)
    by_folder = Counter[str]()
    for module in found:
        parts = Path(module.path).parts
        by_folder[parts[0]] += module.lines
        if len(parts) > 2:
            by_folder["/".join(parts[:2])] += module.lines
    comments = sum(module.comments for module in found)
    return {
        "files": str(len(found)),
        "lines": f"{lines.sum():,}",
        "import circles of files": str(len(circles(files))),
        "folders in an import circle": str(sum(map(len, circles(folders)))),
        "upward imports between folders": str(len(upward(folders))),
        "functions over 50 lines": str((functions > 50).sum()),
        "function lines: median, p90, max": spread(functions),
        "module lines: median, p90, max": spread(lines),
        "comments per 100 lines": f"{100 * comments / lines.sum():.1f}",
        "one prompt through Router.route": prompt_path(root),
        **{f"lines of {name}": f"{by_folder[name]:,}" for name in sorted(by_folder)},
    }


def spread(values: np.ndarray) -> str:
    """Median, 90th percentile and largest."""
    return f"{np.median(values):.0f}, {np.percentile(values, 90):.0f}, {values.max()}"


def checkout(commit: str, folder: Path) -> Path:
    """The files of a commit."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="0765c44")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as folder:
        before = figures(checkout(base, Path(folder).resolve()))
    after = figures(ROOT)
    print(f"| source outside tests | {base} | now |\n|---|---|---|")
    for name in dict.fromkeys([*before, *after]):
        print(f"| {name} | {before.get(name, '–')} | {after.get(name, '–')} |")


if __name__ == "__main__":
    main()
