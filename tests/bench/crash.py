"""What a decision log survives: kill -9 of the whole service under load, again and again.

python -m tests.bench.crash [--rounds 200] [--bundle DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from tests.worlds.crash import FLUSH_S, crash
from tests.worlds.processes import ROOT, Service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--bundle", type=Path, default=ROOT / "artifacts" / "starter")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = {"TIERWISE_LOG_DIR": folder, "TIERWISE_LOG_FLUSH_S": str(FLUSH_S)}
        found = crash(lambda port: Service(args.bundle, port, **env), Path(folder), args.rounds)
    Console().print(found)
    good = found.corrupt == 0 and found.oldest_lost_s <= FLUSH_S
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
