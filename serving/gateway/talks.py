"""Who answered the turn before, of conversations whose client names its session.

Agents send `auto` again and again within one tool loop, and what a model thought is sealed for that
model alone: the next turn stays with its family. A session has several conversations (sub-agents,
chores), which their first words tell apart. Kept by each worker for itself; texts are not kept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

import msgspec

from ..reading import RouteBody

# of Claude Code, of Codex now and before, and for everybody else
SESSIONS = (b"x-claude-code-session-id", b"session-id", b"session_id", b"x-session-id")
LONGEST = 256  # characters of a session's name
MOST = 20_000  # conversations, some 300 bytes each


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation: whose, of which session, and how it began."""

    key: str
    session: str
    began: bytes


class Talks:
    """The conversations that one worker has seen lately."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._arms: OrderedDict[Talk, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._arms)

    def keep(self, talk: Talk, arm: str) -> None:
        """An arm, by id, has answered."""
        self._arms[talk] = arm
        self._arms.move_to_end(talk)
        if len(self._arms) > self._most:
            self._arms.popitem(last=False)

    def resumed(self, talk: Talk, route: RouteBody, arms: tuple[str, ...]) -> RouteBody:
        """A request with its session and who answered before, where the caller says neither."""
        knobs, policy = route.knobs, route.policy
        if knobs.session_id is None:
            knobs = msgspec.structs.replace(knobs, session_id=talk.session)
        before = self._arms.get(talk)
        if policy.current_arm is None and before in arms:
            policy = replace(policy, current_arm=before)
        return replace(route, knobs=knobs, policy=policy)


def talk_of(headers: Mapping[bytes, bytes], key: str, route: RouteBody) -> Talk | None:
    """The conversation of a request; null where no session is named, or a client's chore asks.

    Args:
        headers: of the request.
        key: fingerprint of the caller's API key.
        route: the request.
    """
    named = next((headers[name] for name in SESSIONS if headers.get(name)), b"")
    session = route.knobs.session_id or named.decode("latin-1")
    if not 0 < len(session) <= LONGEST or route.view.asked.housekeeping:
        return None
    before = takewhile(lambda turn: turn.role != "assistant", route.view.asked.request.turns)
    first = "\n".join(turn.text for turn in before if turn.role == "user")
    began = hashlib.blake2b(first.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Talk(key, session, began)
