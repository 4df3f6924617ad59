"""Put a file or a folder in place at once: whoever reads meanwhile sees the old or the new one.

Everything is made beside its place under a name of its own and then renamed, which a file system
does in one step. `durable` also has the disk keep it before anybody is told.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"  # ends the name of what is being made


@contextmanager
def replaced_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A name to write to; it takes `path`'s place at the end, and is gone after an error.

    Args:
        path: made, or replaced; its folder is made when needed.
        durable: whether file and name are to survive a loss of power.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        yield draft
        if durable and not draft.is_symlink():
            sync(draft)
        draft.replace(path)
        if durable:
            sync(path.parent)  # a rename lives in the folder
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """A new folder to fill; it takes `path`'s place at the end, and is gone after an error.

    Between two renames there is neither, which is why a store never replaces a bundle.

    Args:
        path: made, or replaced; its parent is made when needed.
        keep: whether a folder that somebody made meanwhile stays, and this one goes.

    Raises:
        OSError: the parent folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft, old = _draft(path), _draft(path)
    draft.mkdir()
    try:
        yield draft
        if path.exists() and not keep:  # a folder with files cannot be renamed over: two renames
            path.rename(old)
        try:
            draft.rename(path)
        except OSError:
            if not (keep and path.is_dir()):
                raise
    finally:
        for folder in (draft, old):
            shutil.rmtree(folder, ignore_errors=True)


def write_file(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a whole file; text as UTF-8. See `replaced_file`.

    Raises:
        OSError: the folder cannot be written.
    """
    with replaced_file(path, durable=durable) as draft:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft(path: Path) -> Path:
    """A name beside it that no other writer has, and no pattern such as `*.json` finds."""
    return path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}{PART}")
