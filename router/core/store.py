"""A store of bundles with one that is live: promote, roll back, and what was when.

    STORE/bundles/ID/      every bundle that was ever promoted or tried, never changed again
    STORE/current          link to the live one; renamed into place, so it always names a whole one
    STORE/candidate.json   a bundle that is tried beside it: in shadow, or for a share of requests
    STORE/gates/ID.json    what the gate said of a bundle last, against the live one of that time
    STORE/history.jsonl    one line per change

Whoever serves a store looks at the link now and then and takes the new bundle over without a
failed request. Nothing here needs more than a file system with atomic renames.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import replaced_file, replaced_folder, write_file
from ..errors import BundleError, StoreError
from .bundle import Bundle, find_bundle
from .manifest import read_manifest

CURRENT, CANDIDATE, HISTORY, BUNDLES = "current", "candidate.json", "history.jsonl", "bundles"
GATES = "gates"
PASSED = "passed"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the history.

    Attributes:
        time: seconds since 1970.
        action: promote or rollback.
        bundle_id: live from now on.
        previous: live until now, null for the first.
        why: the gate's verdict, or the reason given for going without.
    """

    time: float
    action: str
    bundle_id: str
    previous: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A bundle that is tried: `share` of requests are answered by it, 0 is shadow alone."""

    bundle_id: str
    share: float


class Store:
    """The store in a folder; made by the first promotion.

    Raises:
        StoreError: its path is a file.
    """

    def __init__(self, path: Path) -> None:
        if path.is_file():
            raise StoreError(f"{path} is a file; a store is a folder")
        self.path = path

    @property
    def current(self) -> str | None:
        """Id of the live bundle."""
        try:
            return (self.path / CURRENT).readlink().name
        except OSError:
            return None

    @property
    def candidate(self) -> Candidate | None:
        """What is tried beside it.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            raw = json.loads((self.path / CANDIDATE).read_text("utf-8"))
            return Candidate(bundle_id=str(raw["bundle_id"]), share=float(raw["share"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise StoreError(f"{self.path / CANDIDATE} cannot be read: {err}") from err

    def folder(self, bundle_id: str) -> Path:
        """Where a bundle of the store lies."""
        return self.path / BUNDLES / bundle_id

    def has(self, bundle_id: str) -> bool:
        """Whether it holds a bundle; what is no id is none."""
        return _ID.fullmatch(bundle_id) is not None and self.folder(bundle_id).is_dir()

    def keep_gate(self, record: dict[str, Any]) -> Path:
        """Keep a gate's record in place of an earlier one of the same candidate; where it is.

        Raises:
            StoreError: its candidate has no name that a file could have.
        """
        name = str(record.get("candidate"))
        if not _ID.fullmatch(name):
            raise StoreError(f"a gate's candidate is a bundle's id, got {name[:64]!r}")
        path = self.path / GATES / f"{name}.json"
        write_file(path, json.dumps(record), durable=True)
        return path

    def gate(self, bundle_id: str) -> dict[str, Any] | None:
        """What the gate said of a bundle last; null where it was not asked.

        Raises:
            StoreError: the file cannot be read.
        """
        path = self.path / GATES / f"{bundle_id}.json"
        try:
            record = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as err:
            raise StoreError(f"{path} cannot be read: {err}") from err
        return record if isinstance(record, dict) else None

    def history(self) -> list[Change]:
        """Every change, oldest first; a line cut off by a crash is left out."""
        path = self.path / HISTORY
        if not path.is_file():
            return []
        changes = []
        for line in path.read_text("utf-8").splitlines():
            try:
                changes.append(Change(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return changes

    def add(self, bundle: Path) -> str:
        """Copy a bundle in, whole or not at all, and prove that it works from there.

        Raises:
            BundleError: it cannot be trusted.
        """
        source = find_bundle(bundle)
        bundle_id = read_manifest(source).bundle_id
        target = self.folder(bundle_id)
        if target.is_dir():
            Bundle.load(target)
            return bundle_id
        with replaced_folder(target) as draft:
            shutil.copytree(source, draft, dirs_exist_ok=True)
            Bundle.load(draft)
        return bundle_id

    def promote(
        self, bundle: Path, *, gate: dict[str, Any] | None, force: str | None, time: float
    ) -> Change:
        """Make a bundle the live one.

        A record that is given is read, even where nothing is live yet: what it calls the incumbent
        is then promoted first, so that a rollback goes back to what answered before.

        Args:
            bundle: its folder.
            gate: the gate's record for this candidate against what is live now; null: the one that
                the store keeps, if any.
            force: a reason to go without a passed gate; it is written into the history.
            time: seconds since 1970.
        Raises:
            BundleError: the bundle or the incumbent cannot be trusted.
            StoreError: the record did not pass or is about other bundles; or there is an
                incumbent, and neither a passed gate nor a reason.
        """
        bundle_id = read_manifest(find_bundle(bundle)).bundle_id
        gate = self.gate(bundle_id) if gate is None and not force else gate
        why = self._permission(bundle_id, gate, force)
        self.add(bundle)
        if gate is not None:
            self.keep_gate(gate)
        if gate is not None and self.current is None and not force:
            before = self._incumbent(gate)
            self._point("promote", before, f"incumbent of the gate for {bundle_id}", time)
        return self._point("promote", bundle_id, why, time)

    def _permission(self, bundle_id: str, gate: dict[str, Any] | None, force: str | None) -> str:
        live = self.current
        if force:
            over = "" if gate is None else f" (over a gate that said {gate.get('verdict')})"
            return f"forced: {force}{over}"
        if gate is None and live is None:
            return "first bundle of the store"
        if gate is None:
            raise StoreError(
                f"{bundle_id} would replace {live}; that takes a passed gate "
                "(tierwise gate … --incumbent STORE), or a reason to go without (--force REASON)"
            )
        pair = (gate.get("candidate"), gate.get("incumbent"))
        if pair != (bundle_id, live or pair[1]):
            raise StoreError(
                f"this gate compared {pair[0]} with {pair[1]}; what is asked for is {bundle_id} "
                f"in place of {live or 'nothing'}"
            )
        if gate.get("verdict") != PASSED:
            raise StoreError(
                f"the gate's verdict is {gate.get('verdict')}: {gate.get('summary')}; "
                "give a reason to go on all the same (--force REASON)"
            )
        return f"gate {PASSED}: {gate.get('summary')}"

    def _incumbent(self, gate: dict[str, Any]) -> str:
        """Bring in what a gate compared with, by the folder that its record names."""
        wanted, path = str(gate.get("incumbent")), gate.get("incumbent_path")
        try:
            folder = find_bundle(Path(str(path or wanted)))
            found = read_manifest(folder).bundle_id
        except BundleError:
            found = None
        if found != wanted:
            raise StoreError(
                f"{self.path} has nothing live, and {wanted}, the gate's incumbent, is not at "
                f"{path or 'a place that its record names'}; promote it first, so that a rollback "
                "has somewhere to go"
            )
        return self.add(folder)

    def rollback(self, *, time: float, why: str = "asked for") -> Change:
        """Go back to the bundle that was live before; again, and it is the one before that.

        Raises:
            StoreError: there is none.
            BundleError: it is damaged.
        """
        live = self.current
        before = [
            c.previous for c in self.history() if c.action == "promote" and c.bundle_id == live
        ]
        if live is None or not before or before[-1] is None:
            what = "nothing is live" if live is None else f"live is {live}, the first one"
            raise StoreError(
                f"{self.path} has no earlier bundle to go back to; {what}; promote what is to "
                "answer in its place"
            )
        Bundle.load(self.folder(before[-1]))
        return self._point("rollback", before[-1], why, time)

    def try_out(self, bundle: Path | None, *, share: float = 0.0) -> Candidate | None:
        """Have a bundle decide in shadow, or for a share of requests; None ends it.

        Raises:
            StoreError: the share is no share, or the bundle is the live one.
            BundleError: it cannot be trusted.
        """
        path = self.path / CANDIDATE
        if bundle is None:
            path.unlink(missing_ok=True)
            return None
        if not 0.0 <= share < 1.0:
            raise StoreError(f"the canary's share must lie between 0 and 1, got {share}")
        candidate = Candidate(bundle_id=self.add(bundle), share=share)
        if candidate.bundle_id == self.current:
            raise StoreError(f"{candidate.bundle_id} is live already")
        write_file(path, json.dumps(asdict(candidate)), durable=True)
        return candidate

    def _point(self, action: str, bundle_id: str, why: str, time: float) -> Change:
        change = Change(
            time=time, action=action, bundle_id=bundle_id, previous=self.current, why=why
        )
        with (self.path / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(change)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with replaced_file(self.path / CURRENT, durable=True) as draft:
            draft.symlink_to(Path(BUNDLES) / bundle_id)
        return change


def is_store(path: Path) -> bool:
    """Whether a folder is a store and no bundle."""
    return (path / CURRENT).is_symlink() or (path / HISTORY).is_file()
