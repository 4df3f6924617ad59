"""Write an ONNX graph node by node: the few lines that onnx.helper leaves to its callers.

For one prompt, right after its embedding, the processor's caches are cold: a node costs one or two
microseconds whatever it computes, and constants what their bytes cost. So what is there already is
not added again, and what is linear in one tensor is one product.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ML_OPSET = 3
ONNX_TYPES = {
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int64): TensorProto.INT64,
}
SMALL = 64  # elements of a constant that is stored as it is
LARGE = 8192  # elements of a matrix of doubles that is worth a node more to be read well
WIDE = 1024  # columns of a product beyond which batches would lose more by that node

Array = NDArray[Any]
Step = tuple[str, list[str], dict[str, Any]]  # operator, inputs after the first, attributes


class Graph:
    """A graph under construction; every method returns the name of a tensor.

    Equal constants are one, and so are nodes of one kind, inputs and attributes: whoever writes
    need not know what others wrote.
    """

    def __init__(self, prefix: str = "") -> None:
        """Start a graph whose tensors' names begin with `prefix`, to join another one."""
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto | _Products] = []
        self._casts: list[onnx.NodeProto] = []  # of constants; they go before all other nodes
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._known: dict[Hashable, list[str]] = {}
        self._products: dict[Hashable, _Products] = {}

    def input(self, name: str, width: int) -> str:
        """Declare a float32 input of shape (n, width)."""
        shape = ["n", width]
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, tensor: str, name: str, kind: type[np.generic], width: int | None) -> None:
        """Publish a tensor as output `name` of shape (n, width), or (n,)."""
        shape: list[str | int] = ["n"] if width is None else ["n", width]
        self._nodes.append(helper.make_node("Identity", [tensor], [name], name=f"out_{name}"))
        info = helper.make_tensor_value_info(name, ONNX_TYPES[np.dtype(kind)], shape)
        self._outputs.append(info)

    def const(self, values: ArrayLike, kind: type[np.generic]) -> str:
        """A constant of the given dtype, stored in as few bits as hold all its values."""
        array = np.asarray(values, dtype=kind, order="C")
        stored = array.astype(_least_bits(array))
        key = (stored.dtype, stored.shape, stored.tobytes())
        if key not in self._known:
            name = self._names("const", 1)[0]
            self._constants[name] = numpy_helper.from_array(stored, name)
            self._known[key] = [name]
        (name,) = self._known[key]
        if stored.dtype == array.dtype:
            return name
        return self._added(self._casts, "Cast", [name], 1, to=ONNX_TYPES[array.dtype])[0]

    def op(self, kind: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output."""
        return self.ops(kind, inputs, 1, domain=domain, **attributes)[0]

    def ops(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int,
        *,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add a node with several outputs."""
        return self._added(self._nodes, kind, inputs, outputs, domain=domain, **attributes)

    def named(
        self,
        outputs: Sequence[str],
        kind: str,
        inputs: Sequence[str],
        **attributes: Any,  # noqa: ANN401
    ) -> None:
        """Add a node whose outputs have names already."""
        node = helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes)
        self._nodes.append(node)

    def cast(self, tensor: str, kind: type[np.generic]) -> str:
        """Convert a tensor to another dtype."""
        return self.op("Cast", [tensor], to=ONNX_TYPES[np.dtype(kind)])

    def beside(self, tensors: Sequence[str], *, axis: int = 1) -> str:
        """Tensors side by side."""
        return tensors[0] if len(tensors) == 1 else self.op("Concat", tensors, axis=axis)

    def parts(self, tensor: str, sizes: Sequence[int], *, axis: int = 1) -> list[str]:
        """What lies side by side, one by one."""
        if len(sizes) == 1:
            return [tensor]
        split = [tensor, self.const(sizes, np.int64)]
        return self.ops("Split", split, len(sizes), axis=axis)

    def linear(
        self,
        tensor: str,
        matrix: ArrayLike,
        shift: ArrayLike,
        kind: type[np.generic],
        *,
        limit: float | None = None,
        to: type[np.generic] | None = None,
    ) -> str:
        """The product tensor @ matrix + shift, by one node with all others of its tensor.

        Args:
            tensor: (n, w), of dtype `kind`.
            matrix: (w, m).
            shift: (m,), or one number for all.
            kind: what is computed in.
            limit: what lies beyond it, on either side of 0, is clipped.
            to: dtype of the result; null is `kind`.
        """
        key = (tensor, kind, limit, to)
        if key not in self._products:
            self._products[key] = _Products(tensor, kind, limit, to)
            self._nodes.append(self._products[key])
        rows = np.ascontiguousarray(np.asarray(matrix, dtype=kind).T)
        moved = np.broadcast_to(np.asarray(shift, dtype=kind), len(rows))
        content = (*key, rows.shape, rows.tobytes(), moved.tobytes())
        if content not in self._known:
            self._known[content] = self._names("linear", 1)
            self._products[key].parts.append(_Part(self._known[content][0], rows, moved))
        return self._known[content][0]

    def include(
        self, model: onnx.ModelProto, prefix: str, inputs: Mapping[str, str]
    ) -> dict[str, str]:
        """Add a whole model, its tensors' names after `prefix`: output -> tensor.

        Args:
            model: of the opsets that this graph is written in.
            prefix: of names that nothing here has, but this model if it was added before.
            inputs: the model's input -> tensor of this graph.
        """
        graph = model.graph

        def named(tensor: str) -> str:
            return inputs.get(tensor, f"{prefix}{tensor}") if tensor else ""

        found = {output.name: named(output.name) for output in graph.output}
        if ("model", prefix) in self._known:
            return found
        self._known["model", prefix] = list(found.values())
        for tensor in graph.initializer:
            own = onnx.TensorProto()
            own.CopyFrom(tensor)
            own.name = named(tensor.name)
            self._constants[own.name] = own
        for node in graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{prefix}{node.name}"
            copy.input[:] = [named(tensor) for tensor in node.input]
            copy.output[:] = [named(tensor) for tensor in node.output]
            self._nodes.append(copy)
        return found

    def extend(self, model: onnx.ModelProto) -> None:
        """Append nodes and constants to a model whose tensors they use."""
        model.graph.node.extend(self._finished())
        model.graph.initializer.extend(self._constants.values())

    def model(self) -> onnx.ModelProto:
        """The finished, checked model."""
        nodes, constants = self._finished(), list(self._constants.values())
        graph = helper.make_graph(nodes, "router", self._inputs, self._outputs, constants)
        return model_of(graph)

    def _names(self, stem: str, count: int) -> list[str]:
        start = f"{self._prefix}{stem.lower()}{len(self._known)}"
        return [f"{start}_{i}" for i in range(count)]

    def _added(
        self,
        into: list[onnx.NodeProto] | list[onnx.NodeProto | _Products],
        kind: str,
        inputs: Sequence[str],
        outputs: int,
        **attributes: Any,  # noqa: ANN401
    ) -> list[str]:
        """The outputs of a node, which is added to a list if there is none like it."""
        node = helper.make_node(kind, list(inputs), [], **attributes)
        key = (node.SerializeToString(deterministic=True), outputs)
        if key not in self._known:
            names = self._names(kind, outputs)
            node.name = names[0]
            node.output[:] = names
            into.append(node)
            self._known[key] = names
        return self._known[key]

    def _finished(self) -> list[onnx.NodeProto]:
        """All nodes, each after those that it needs; nothing is asked of the graph afterwards."""
        planned, self._nodes = self._nodes, []
        for node in planned:
            if isinstance(node, _Products):
                node.write(self)
            else:
                self._nodes.append(node)
        return [*self._casts, *self._nodes]


@dataclass(frozen=True, slots=True)
class _Part:
    """One product: the tensor that it gives, its matrix (m, w) transposed, its shift (m,)."""

    name: str
    rows: Array
    shift: Array


@dataclass(frozen=True, slots=True)
class _Products:
    """What is linear in one tensor; its place in the graph is that of the first that was asked."""

    tensor: str
    kind: type[np.generic]
    limit: float | None
    to: type[np.generic] | None
    parts: list[_Part] = field(default_factory=list)

    def write(self, graph: Graph) -> None:
        """One product of all, and where it is split into parts."""
        # what takes as many bits lies side by side and is one constant
        parts = sorted(self.parts, key=lambda part: _least_bits(part.rows).itemsize)
        steps = self._product(graph, parts)
        if self.limit is not None:
            bounds = [graph.const(bound, self.kind) for bound in (-self.limit, self.limit)]
            steps.append(("Clip", bounds, {}))
        if self.to is not None:
            steps.append(("Cast", [], {"to": ONNX_TYPES[np.dtype(self.to)]}))
        if len(parts) > 1:
            sizes = graph.const([len(part.rows) for part in parts], np.int64)
            steps.append(("Split", [sizes], {"axis": 1}))
        tensor: list[str] = []
        for kind, inputs, attributes in steps[:-1]:
            tensor = [graph.op(kind, [*tensor, *inputs], **attributes)]
        kind, inputs, attributes = steps[-1]
        graph.named([part.name for part in parts], kind, [*tensor, *inputs], **attributes)

    def _product(self, graph: Graph, parts: list[_Part]) -> list[Step]:
        """All products side by side."""
        alike = groupby(parts, key=lambda part: _least_bits(part.rows).itemsize)
        blocks = [np.concatenate([part.rows for part in group]) for _, group in alike]
        kept = [graph.const(block, self.kind) for block in blocks]
        rows = kept[0] if len(kept) == 1 else graph.op("Concat", kept, axis=0)
        shift = np.concatenate([part.shift for part in parts])
        size = len(shift) * blocks[0].shape[1]
        if self.kind is np.float64 and size >= LARGE and len(shift) <= WIDE:
            # for one row of doubles the runtime has no kernel of its own: it would copy the matrix
            # piece by piece; a matrix on the left it reads as it lies
            inputs = [rows, self.tensor, graph.const(shift[:, None], self.kind)]
            return [("Gemm", inputs, {"transB": 1}), ("Transpose", [], {"perm": [1, 0]})]
        inputs = [self.tensor, rows, graph.const(shift, self.kind)]
        return [("Gemm", inputs, {"transB": 1})]


def _least_bits(array: Array) -> np.dtype[Any]:
    """The smallest dtype that holds every value of an array; its own where the array is small."""
    if array.dtype.kind == "f" and array.size >= SMALL:
        for kind in (np.dtype(np.float16), np.dtype(np.float32)):
            with np.errstate(over="ignore"):
                same = kind.itemsize < array.itemsize and (array.astype(kind) == array).all()
            if same:
                return kind
    return array.dtype


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    """The checked model of a graph, in versions that older runtimes know."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="tierwise")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model
