"""Files and folders appear whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from router.atomic import replaced_file, replaced_folder, write_file


def test_a_reader_sees_the_old_or_the_new_file_and_never_half(tmp_path: Path) -> None:
    path, stop = tmp_path / "state.json", threading.Event()
    contents = [letter * 200_000 for letter in "ab"]
    write_file(path, contents[0])
    seen: set[str] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(200):
        write_file(path, contents[i % 2], durable=i % 50 == 0)
    stop.set()
    reader.join()
    assert seen <= set(contents)
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_an_error_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_file(path, b"old")

    def fail() -> None:
        with replaced_file(path) as draft:
            draft.write_text("half")
            raise ValueError("disk on fire")

    with pytest.raises(ValueError, match="fire"):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_folder_is_replaced_whole_and_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    for name in ("first", "second"):
        with replaced_folder(path) as draft:
            (draft / name).write_text(name)
            assert not (path / name).exists()
    assert [p.name for p in path.iterdir()] == ["second"]

    def fail() -> None:
        with replaced_folder(path) as draft:
            (draft / "third").write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert [p.name for p in path.iterdir()] == ["second"]


def test_drafts_are_not_found_by_the_patterns_that_readers_use(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "a.json") as draft:
        draft.write_text("{}")
        assert list(tmp_path.glob("*.json")) == []


def test_a_link_can_be_replaced(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with replaced_file(tmp_path / "current", durable=True) as draft:
            draft.symlink_to(name)
    assert (tmp_path / "current").readlink() == Path("two")


def test_of_two_that_make_a_folder_at_once_the_first_one_may_stay(tmp_path: Path) -> None:
    place = tmp_path / "export"
    with replaced_folder(place, keep=True) as slow:
        (slow / "who").write_text("second")
        with replaced_folder(place, keep=True) as quick:
            (quick / "who").write_text("first")
        in_use = (place / "who").stat().st_ino
    assert ((place / "who").stat().st_ino, (place / "who").read_text()) == (in_use, "first")
    assert list(tmp_path.iterdir()) == [place]
