"""The decision log of the real service: what a kill, a full disk and a restart leave of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.events import read_log
from tests.serving.conftest import Service
from tests.worlds.crash import FLUSH_S, crash
from tests.worlds.processes import Service as BenchService

pytestmark = pytest.mark.service
SMALL_MB = 1


def test_a_killed_service_loses_one_flush_interval_and_starts_clean(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    env = {"TIERWISE_LOG_DIR": str(tmp_path), "TIERWISE_LOG_FLUSH_S": str(FLUSH_S)}
    found = crash(lambda port: BenchService(tiny_bundle, port, **env), tmp_path, 2)
    assert found.kills == 2
    assert found.answered > 200
    assert found.corrupt == 0
    assert found.lost < found.answered / 2
    assert found.oldest_lost_s <= 2 * FLUSH_S  # the interval, and once more for a slow machine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one megabyte, where this machine lets us mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if mount else None
    if done is None or done.returncode:
        pytest.skip("this machine does not let us mount a small filesystem")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_fails_no_request_and_logging_resumes_when_space_returns(
    run_service: Callable[..., Service], tiny_bundle: Path, small_disk: Path
) -> None:
    service = run_service(
        ["router", "serve", str(tiny_bundle)],
        TIERWISE_LOG_DIR=str(small_disk), TIERWISE_LOG_FLUSH_S="0.05",
    )  # fmt: skip
    service.wait(200)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * ((SMALL_MB << 20) - 200_000))
    statuses = [service({"prompt": f"Prompt {i % 40}"}).status for i in range(600)]
    assert set(statuses) == {200}
    assert series(service, "dropped") > 0
    filler.unlink()
    wrote = series(service, "written")
    more = 0
    while series(service, "written") == wrote:
        assert service({"prompt": f"Prompt {more % 40}"}).status == 200
        more += 1
        assert more < 5000, "logging did not resume"
    service.process.terminate()
    service.process.wait(20)
    log = read_log(small_disk)
    assert len(log.decisions) > 50
    assert not log.rejected


def series(service: Service, result: str) -> float:
    name = f'tierwise_log_events_total{{result="{result}"}}'
    text = service(path="/metrics").body.decode()
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])
