"""A page as a reader finds it: parsed strictly, with what its parts say."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
EMPTY_SVG = frozenset({"line", "circle", "polyline", "rect", "path"})  # may close themselves


@dataclass
class Element:
    """One element."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Parsed:
    """The elements of a page, and what is wrong with it as HTML."""

    elements: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """The elements of a tag."""
        return [one for one in self.elements if one.tag == tag]

    def by_id(self, name: str) -> Element:
        """The element of an id."""
        (found,) = [one for one in self.elements if one.attributes.get("id") == name]
        return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Parsed()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.page.faults.append(f"<{tag}> has an attribute twice")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.page.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY_SVG:
            self.page.faults.append(f"<{tag}/> is no element that closes itself")
        self.page.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.page.faults.append(f"</{tag}> closes {self.open[-1].tag if self.open else None}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def parsed(body: bytes) -> Parsed:
    """A page, parsed; what is wrong with it stands in `faults`."""
    reader = _Parser()
    reader.feed(body.decode("utf-8"))
    reader.close()
    page = reader.page
    page.faults += [f"<{element.tag}> is never closed" for element in reader.open]
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    page.faults += [
        f"the id {name} is there twice" for name in {i for i in ids if ids.count(i) > 1}
    ]
    for element in page.elements:
        for name in ("aria-labelledby", "for", "aria-describedby"):
            wanted = element.attributes.get(name)
            if wanted and wanted not in ids:
                page.faults.append(f"<{element.tag} {name}={wanted}> means nothing")
    return page
