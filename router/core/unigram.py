"""Text in the likeliest pieces of a vocabulary: the ids of `tokenizers`, in less memory.

Its Unigram gives every prefix of a piece a hash map, 120 MB for 128,000 pieces. Here the prefixes
are one trie in flat arrays, level by level: the children of a node lie side by side, and a step
down is `str.find` among them. Text is cut in parts, of which the frequent ones are looked up.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from ..types import Ints

SPACE = "▁"  # what stands for a space, before a word
RARE = 10.0  # by how much a character without a piece is less likely than the rarest piece
CLOSE = 1e-6  # sums of log probabilities that are nearer may change places by their rounding
KEPT = 20_000  # parts that are one piece, which are looked up from then on
PARTS = re.compile(f"{SPACE}?[A-Za-z]+|{SPACE}?[^A-Za-z{SPACE}]+|{SPACE}")  # of an ASCII word


class Unigram:
    """A vocabulary of pieces with log probabilities; threads may share it."""

    def __init__(self, vocabulary: Sequence[tuple[str, float]], unknown: int) -> None:
        """Lay a vocabulary out.

        Args:
            vocabulary: pieces and their log probabilities, by id.
            unknown: id of characters that no piece holds.
        """
        self._unknown = unknown
        self._trie = _trie(vocabulary, unknown)
        mixed = (piece for piece, _ in vocabulary if not PARTS.fullmatch(piece))
        self._across = [piece for piece in mixed if len(list(_parts(piece))) > 1]
        self._known: dict[str, int] = {}

    def cut(self, text: str) -> list[int]:
        """Ids of the likeliest pieces of a normalised text, which has SPACE for every space."""
        # a piece that goes on over the end of a part ties the parts together
        tied = any(piece in text for piece in self._across)
        ids = self._trie.ids
        found: list[int] = []
        for node in self._nodes([text] if tied else _parts(text)):
            piece = ids[node]
            if piece != self._unknown or found[-1:] != [piece]:  # a run of unknowns is one
                found.append(piece)
        return found

    def _nodes(self, parts: Iterable[str]) -> list[int]:
        found: list[int] = []
        for part in parts:
            node = self._known.get(part)
            if node is not None:
                found.append(node)
                continue
            nodes, clear = self._path(part, 0.0)
            if not clear:  # rounding decides, and that depends on all that stands before
                scores = (self._trie.scores[node] for node in found)
                nodes, _ = self._path(part, reduce(add, scores, 0.0))  # sum() would compensate
            # pieces alone: nothing stays of a caller's text that the vocabulary has not
            elif len(nodes) == 1 and len(self._known) < KEPT:
                self._known[part] = nodes[0]
            found += nodes
        return found

    def _path(self, text: str, before: float) -> tuple[list[int], bool]:
        """Nodes of the likeliest pieces, and whether no others come close.

        Sums are taken in the order of `tokenizers`, and of two equal ones the first stays.

        Args:
            text: to cut.
            before: log probability of all that stands before it.
        """
        labels, first, scores, _, roots = self._trie
        end = len(text)
        best = [before] + [-1e300] * end  # log probability of all up to each character
        last = [(0, 0, True)] * (end + 1)  # its last piece: start, node, whether no other is close
        for start in range(end):
            so_far, stop = best[start], start + 1
            node = roots.get(text[start], len(labels))
            while node >= 0:
                total = so_far + scores[node]
                lead = total - best[stop]
                if lead > 0:
                    best[stop], last[stop] = total, (start, node, lead > CLOSE)
                elif lead > -CLOSE:
                    last[stop] = (*last[stop][:2], False)
                if stop == end:
                    break
                node = labels.find(text[stop], first[node], first[node + 1])
                stop += 1
        return _back(last)


def _back(last: list[tuple[int, int, bool]]) -> tuple[list[int], bool]:
    nodes: list[int] = []
    at, clear = len(last) - 1, True
    while at:
        at, node, alone = last[at]
        clear &= alone
        nodes.append(node)
    return nodes[::-1], clear


def _parts(text: str) -> Iterator[str]:
    """A text in parts that few pieces go across: words, and letters apart from signs in ASCII."""
    for i, word in enumerate(text.split(SPACE)):
        whole = SPACE + word if i else word
        if word.isalpha() or not word.isascii():
            yield whole
        else:
            yield from PARTS.findall(whole)


class _Trie(NamedTuple):
    """Prefixes of pieces as nodes, shortest first, those of one parent side by side.

    After the last node follows that of a character which begins no piece.
    """

    labels: str  # last character of each node's prefix
    first: array[int]  # the first child of each node; they end where the next one's begin
    scores: array[float]  # log probability of the piece that a node is, or -inf
    ids: array[int]  # its id, or -1
    roots: dict[str, int]  # nodes of one character


def _trie(vocabulary: Sequence[tuple[str, float]], unknown: int) -> _Trie:
    """Lay out a vocabulary; a node of one character that is no piece is unknown."""
    pieces = np.array([piece for piece, _ in vocabulary], dtype=object)
    length = np.fromiter(map(len, pieces), np.int32)
    rows = np.array(sorted(range(len(pieces)), key=pieces.__getitem__))  # ids by their pieces
    node = np.full(len(rows), -1)  # of the part that was read of each
    base = 0
    labels, parents, ids = [], [], []
    for depth in range(length.max()):
        longer = length[rows] > depth
        rows, node = rows[longer], node[longer]
        letters = "".join([piece[depth] for piece in pieces[rows]])
        label = np.frombuffer(letters.encode("utf-32-le"), "<u4")
        new = np.ones(len(rows), bool)  # a prefix is new where it changes
        new[1:] = (label[1:] != label[:-1]) | (node[1:] != node[:-1])
        labels.append(label[new])
        parents.append(node[new])
        node = base + np.cumsum(new) - 1
        whole = length[rows] == depth + 1
        ids.append(np.full(len(labels[-1]), -1))
        ids[-1][node[whole] - base] = rows[whole]
        base += len(labels[-1])
    text = np.concatenate(labels).tobytes().decode("utf-32-le")
    first = np.searchsorted(np.concatenate(parents), np.arange(base + 2))
    return _Trie(
        text,
        array("i", first.astype(np.int32).tobytes()),
        *_values(np.concatenate(ids), [score for _, score in vocabulary], len(labels[0]), unknown),
        {letter: i for i, letter in enumerate(text[: len(labels[0])])},
    )


def _values(
    ids: Ints, scores: list[float], roots: int, unknown: int
) -> tuple[array[float], array[int]]:
    """Log probabilities and ids of the nodes and of the one after them."""
    values = np.append(np.where(ids < 0, -np.inf, np.array(scores)[ids]), -np.inf)
    ids = np.append(ids, -1)
    # where a character alone is no piece, it is unknown
    single = np.append(np.arange(roots), len(ids) - 1)
    lost = single[ids[single] < 0]
    values[lost], ids[lost] = min(scores) - RARE, unknown
    return array("d", values.tobytes()), array("i", ids.astype(np.int32).tobytes())
