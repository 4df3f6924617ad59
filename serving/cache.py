"""Remember the scores of prompts seen before: exact match, least recently used goes first.

Scores are kept and not answers, because a policy is applied in microseconds and callers with
different thresholds then share an entry. Used on the event loop alone, so it needs no lock.
Keys are keyed digests: no prompt stays in memory for it.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import ReferenceType

from router.core.policy import Policy
from router.engine import Router
from router.request.view import PromptView
from router.types import Decision, Reading, Scores

Key = tuple[bytes, int]


@dataclass(slots=True)
class Latest:
    """What was decided last on a prompt: by whom, for which policy and, by its hash, request."""

    router: ReferenceType[Router] | None = None  # which may be gone
    policy: Policy | None = None
    request: int = 0
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt's scores, what they are made of, and what was decided last."""

    scores: Scores
    reading: Reading
    earlier: tuple[Reading, ...] = ()  # of the turns that it inherits from
    latest: Latest = field(default_factory=Latest)


class ScoreCache:
    """A bounded map from prompt to scores; `size` 0 keeps nothing."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._salt = os.urandom(16)
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, view: PromptView) -> Key:
        """What the predictions depend on: text and turns."""
        text = view.text.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=16, key=self._salt).digest()
        return digest, view.turns

    def get(self, key: Key) -> Entry | None:
        """The entry of `key`, now the most recently used one."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, scores: Scores, reading: Reading) -> Entry:
        """Keep scores, and forget the least recently used ones beyond the size."""
        entry = self._entries[key] = Entry(scores, reading)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return entry
