"""A short ask beside a long paste: which lines at the head or the tail of a text ask for something.

A text is cut into units: lines, very long lines into sentences, and runs of code, logs, tables or
quotes as one. Each is scored by cues in words, each break between paragraphs costs; the ask is the
head or the tail of the text that scores most. Where nothing scores, nothing is told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .cues import LEAD, OPTION, SENTENCE, asking, is_data, words

SHORT = 1200  # characters up to which a text is left as it is
PASSAGE = 3600  # up to which an ask and what it is about may be one prompt
LONGEST = 4000  # that an ask beside a paste may have
LEAST = 900  # that a paste has
SENTENCES = 2500  # of a line from which on it is cut into sentences
SHARED = 0.25  # of the words of an ask may be around it, or they are one prompt

# scores; a question is worth 3, see `cues.asking`
CLEAR = 1.0  # what an ask has
BREAK = 1.2  # what a break between paragraphs inside an ask costs
BORDER = 6.0  # what it tells that ask and paste are different parts of the turn
ANNOUNCED = 3.0  # what it tells that the paste is announced right there
CONTRAST = 2.0  # where nothing asks: what it tells that data or repetitions are beside it
NEW = 2.5  # where nothing asks: what it tells that its words are nowhere else
AHEAD = 1.5  # by so much head or tail must be ahead of the other to be taken alone
MANY = 10  # units of prose from which on what is usual in a text is taken off


@dataclass(slots=True)
class _Unit:
    """A stretch of a text."""

    start: int
    end: int
    text: str
    data: bool = False
    broken: bool = False  # whether a blank line, or a part's border, is before it
    border: bool = False  # whether a part begins with it
    option: bool = False  # whether it is one of the answers to choose from
    again: bool = False  # whether the same line is in the text elsewhere
    lead: bool = False  # whether it announces a paste
    score: float = 0.0

    @property
    def pasted(self) -> bool:
        """Whether nobody writes so by hand."""
        return self.again or (self.data and self.end - self.start > 300)


@dataclass(frozen=True, slots=True)
class _End:
    """The head or the tail of a text, as far as it asks."""

    start: int
    end: int
    score: float


def cut_passage(text: str, borders: frozenset[int] = frozenset()) -> str:
    """The ask of a text that holds a paste, else the text.

    Args:
        text: of a turn, without what clients put around it.
        borders: where text parts begin.
    """
    if len(text) <= SHORT:
        return text
    units = list(_units(text, borders))
    _score(units)
    ends = _ends(units, len(text), 0.0)
    if not ends:
        for unit, new in zip(units, _novelty(units), strict=True):
            unit.score += NEW * new
        ends = _ends(units, len(text), CONTRAST)
    if not ends:
        return text
    found = _joined(text, ends)
    return found if len(text) > PASSAGE or _apart(found, text) else text


def _ends(units: list[_Unit], size: int, contrast: float) -> list[_End]:
    """The best head and the best tail, of those that score enough."""
    last = len(units) - 1
    head = ((units[i], units[i + 1], units[i + 1]) for i in range(last))
    tail = ((units[i], units[i - 1], units[i]) for i in range(last, 0, -1))
    found = (_best(head, size, contrast, forward=True), _best(tail, size, contrast, forward=False))
    return [end for end in found if end is not None and end.score >= CLEAR]


def _best(
    steps: Iterable[tuple[_Unit, _Unit, _Unit]], size: int, contrast: float, *, forward: bool
) -> _End | None:
    """How far from one end of a text the ask reaches.

    Args:
        steps: units from that end on; each with its neighbour further in, and whichever of the two
            begins behind the cut between them.
        size: characters of the text.
        contrast: what data or repetitions beside it tell.
        forward: whether it is the head.
    """
    best, total, broken = None, 0.0, False
    for unit, inner, behind in steps:
        total += unit.score - (BREAK if broken else 0.0)
        broken = behind.broken
        start, end = (0, unit.end) if forward else (unit.start, size)
        if end - start > min(LONGEST, size - LEAST):
            break
        if size <= PASSAGE and not broken:
            continue
        score = total + (contrast if inner.pasted and not unit.data else 0.0)
        score += (ANNOUNCED if inner.lead else 0.0) + (BORDER if behind.border else 0.0)
        if best is None or score > best.score:
            best = _End(start, end, score)
    return best


def _joined(text: str, ends: list[_End]) -> str:
    """The better end, or both where none is clearly better."""
    best = max(ends, key=lambda end: (end.score, end.start))
    level = [end for end in ends if end.score > best.score - AHEAD]
    found = "\n".join(text[end.start : end.end].strip() for end in level)
    return found if len(text) - len(found) >= LEAST else text[best.start : best.end].strip()


def _apart(found: str, text: str) -> bool:
    """Whether an ask speaks of other things than what is around it, unlike a puzzle's question."""
    asked = words(found)
    around = Counter(words(text))
    around.subtract(asked)
    own = set(asked)
    return sum(around[word] > 0 for word in own) <= 1 + SHARED * len(own)


def _units(text: str, borders: frozenset[int]) -> Iterator[_Unit]:
    """The units of a text, in order."""
    marks = [line.startswith("```") for line in text.split("\n")]
    closed = sum(marks) // 2 * 2  # the last fence of a paste that was cut off encloses nothing
    place, fences, broken, run = 0, 0, True, None
    for line, mark in zip(text.split("\n"), marks, strict=True):
        start, place = place, place + len(line) + 1
        border = start in borders
        broken |= border
        if not line.strip():
            broken = True
            continue
        fences += mark
        data = (fences <= closed and (mark or fences % 2 == 1)) or is_data(line)
        if run is not None and (border or not data):
            yield run
            run = None
        if run is not None:
            run.end = start + len(line)
        elif data:
            run = _Unit(start, start + len(line), line, True, broken, border)
        else:
            yield from _sentences(line, start, broken, border)
        broken = False
    if run is not None:
        yield run


def _sentences(line: str, start: int, broken: bool, border: bool) -> Iterator[_Unit]:
    """A line, in sentences if it is very long."""
    cuts = [cut.end() for cut in SENTENCE.finditer(line)] if len(line) > SENTENCES else []
    place = 0
    for cut in [*cuts, len(line)]:
        if cut > place:
            text = line[place:cut].strip()
            yield _Unit(start + place, start + cut, text, False, broken, border)
            place, broken, border = cut, False, False


def _score(units: list[_Unit]) -> None:
    """Score every unit, by itself and by what is usual in the text."""
    counts = Counter(unit.text for unit in units)
    letter = ""
    for unit, before in zip(units, [None, *units], strict=False):
        found = None if unit.data else OPTION.match(unit.text)
        last, letter = letter, (found and found[1]) or ""
        unit.option = bool(found) and (letter in {"", "A"} or letter == chr(ord(last or "@") + 1))
        unit.again = counts[unit.text] > 1 and not unit.option
        unit.lead = not unit.data and bool(LEAD.match(unit.text))
        unit.score = _alone(unit)
        if unit.option and letter == "A" and before is not None and not before.data:
            before.score += 2.0  # what is chosen for
    prose = [unit for unit in units if not (unit.data or unit.option)]
    usual = sum(unit.score for unit in prose) / max(len(prose), 1)
    for unit in prose if len(prose) >= MANY and usual > 0.0 else []:
        unit.score -= usual


def _alone(unit: _Unit) -> float:
    """What a unit scores by itself."""
    if unit.data:
        return -min(3.0, 0.5 + (unit.end - unit.start) / 400)
    if unit.option:
        return 0.6
    if unit.lead:
        return -3.0
    return -2.0 if unit.again else asking(unit.text)


def _novelty(units: list[_Unit]) -> list[float]:
    """How much more of each unit's words stand in it alone than is usual, -1 to 1; 0 for data."""
    found = [set[str]() if unit.data else set(words(unit.text)) for unit in units]
    counts = Counter(word for own in found for word in own)
    alone = [sum(counts[word] == 1 for word in own) for own in found]
    usual = sum(alone) / max(sum(map(len, found)), 1)
    return [n / len(own) - usual if own else 0.0 for n, own in zip(alone, found, strict=True)]
