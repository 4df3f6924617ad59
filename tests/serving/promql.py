"""As much of PromQL as rules and dashboards here use, read strictly: the rest is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

AGGREGATIONS = ("sum", "max", "min", "avg", "topk")
FUNCTIONS = {"rate": 1, "increase": 1, "histogram_quantile": 2, "time": 0}
PRECEDENCE = {"or": 1, "and": 2, "==": 3, "!=": 3, ">": 3, "<": 3, ">=": 3, "<=": 3,
              "+": 4, "-": 4, "*": 5, "/": 5}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?![a-z]))|(?P<range>\[(?:\d+[smhd]|\$__rate_interval)\])"
    r'|(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>[a-zA-Z_:][\w:]*)'
    r"|(?P<op>[=!]~|[=!<>]=|[-+*/<>=(){},]))"
)


@dataclass(frozen=True)
class Selector:
    """One series that is asked for."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()  # label, operator, value
    ranged: bool = False


@dataclass
class Query:
    """What an expression asks for.

    Attributes:
        selectors: all series.
        grouped: (labels, names of the series within) of every `by`.
        labels: that its result has; null: those of its series.
    """

    selectors: list[Selector] = field(default_factory=list)
    grouped: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)


class _Parser:
    def __init__(self, text: str) -> None:
        self.query, self.tokens, at = Query(), [], 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"cannot read {text[at : at + 30]!r}")
            self.tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
            at = found.end()

    def next(self, *wanted: str) -> str:
        kind, text = self.tokens.pop(0) if self.tokens else ("end", "")
        if wanted and text not in wanted and kind not in wanted:
            raise ValueError(f"wanted {' or '.join(wanted)}, found {text or 'the end'!r}")
        return text

    def peek(self) -> str:
        return self.tokens[0][1] if self.tokens else ""

    def expression(self, least: int = 1) -> None:
        self.operand()
        while (rank := PRECEDENCE.get(self.peek(), 0)) >= least:
            self.next()
            self.expression(rank + 1)

    def operand(self) -> None:
        text = self.next("number", "name", "(")
        if text == "(":
            self.expression()
            self.next(")")
        elif text in AGGREGATIONS:
            self.aggregation(text)
        elif text in FUNCTIONS and self.peek() == "(":
            self.arguments(FUNCTIONS[text])
        elif not text[0].isdigit():
            self.selector(text)

    def aggregation(self, name: str) -> None:
        labels: tuple[str, ...] = ()
        if self.peek() == "by":
            self.next()
            labels = tuple(self.listed())
        before = len(self.query.selectors)
        self.arguments(2 if name == "topk" else 1)
        inside = tuple(one.name for one in self.query.selectors[before:])
        self.query.grouped.append((labels, inside))
        self.query.labels |= set(labels)

    def listed(self) -> list[str]:
        self.next("(")
        found = [self.next("name")]
        while self.next(",", ")") == ",":
            found.append(self.next("name"))
        return found

    def arguments(self, count: int) -> None:
        self.next("(")
        for i in range(count):
            if i:
                self.next(",")
            self.expression()
        self.next(")")

    def selector(self, name: str) -> None:
        matchers = []
        if self.peek() == "{":
            self.next()
            while self.peek() != "}":
                label, operator = self.next("name"), self.next("=", "!=", "=~", "!~")
                matchers.append((label, operator, self.next("string")[1:-1]))
                if self.peek() != "}":
                    self.next(",")
            self.next("}")
        ranged = bool(self.tokens) and self.tokens[0][0] == "range"
        if ranged:
            self.next()
        self.query.selectors.append(Selector(name, tuple(matchers), ranged))


def parse(text: str) -> Query:
    """What an expression asks for.

    Raises:
        ValueError: it is none, or not of the part of PromQL that is known here.
    """
    parser = _Parser(text)
    parser.expression()
    if parser.tokens:
        raise ValueError(f"cannot read on at {parser.peek()!r}")
    return parser.query
