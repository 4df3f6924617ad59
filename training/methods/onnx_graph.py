"""Write an ONNX graph node by node: the few lines that onnx.helper leaves to its callers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ML_OPSET = 3
ONNX_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int64): TensorProto.INT64,
}


class Graph:
    """A graph under construction; every method returns the name of a tensor."""

    def __init__(self, prefix: str = "") -> None:
        """Start a graph whose tensors' names begin with `prefix`, to join another one."""
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._shared: dict[Hashable, tuple[str, ...]] = {}

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
        """A constant of the given dtype."""
        name = f"{self._prefix}c{len(self._constants)}"
        array = np.ascontiguousarray(np.asarray(values, dtype=kind))
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def half(self, values: NDArray[np.float32], kind: type[np.generic] = np.float32) -> str:
        """A constant stored in 16 bits, read as `kind`; the values must be representable."""
        return self.cast(self.const(values, np.float16), kind)

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
        stem = f"{self._prefix}{kind.lower()}{len(self._nodes)}"
        names = [f"{stem}_{i}" for i in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, name=stem, domain=domain, **attributes)
        self._nodes.append(node)
        return names

    def once(self, key: Hashable, build: Callable[[], str]) -> str:
        """The tensor that `build` adds, added only the first time for a key."""
        return self.once_many(key, lambda: (build(),))[0]

    def once_many(self, key: Hashable, build: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """The same for several tensors."""
        if key not in self._shared:
            self._shared[key] = build()
        return self._shared[key]

    def cast(self, tensor: str, kind: type[np.generic]) -> str:
        """Convert a tensor to another dtype."""
        return self.op("Cast", [tensor], to=ONNX_TYPES[np.dtype(kind)])

    def gemm(
        self,
        tensor: str,
        matrix: ArrayLike | str,
        shift: ArrayLike,
        kind: type[np.generic],
        *,
        alpha: float = 1.0,
    ) -> str:
        """alpha·tensor @ matrix + shift in one node; few nodes are quick nodes at batch one."""
        factor = matrix if isinstance(matrix, str) else self.const(matrix, kind)
        return self.op("Gemm", [tensor, factor, self.const(shift, kind)], alpha=alpha)

    def include(
        self, model: onnx.ModelProto, prefix: str, inputs: Mapping[str, str]
    ) -> dict[str, str]:
        """Add a whole model, its tensors' names after `prefix`: output -> tensor.

        Args:
            model: of the opsets that this graph is written in.
            prefix: of names that nothing here has.
            inputs: the model's input -> tensor of this graph.
        """
        graph = model.graph

        def named(tensor: str) -> str:
            return inputs.get(tensor, f"{prefix}{tensor}") if tensor else ""

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
        return {output.name: named(output.name) for output in graph.output}

    def extend(self, model: onnx.ModelProto) -> None:
        """Append nodes and constants to a model whose tensors they use."""
        model.graph.node.extend(self._nodes)
        model.graph.initializer.extend(self._constants.values())

    def model(self) -> onnx.ModelProto:
        """The finished, checked model."""
        graph = helper.make_graph(
            self._nodes, "router", self._inputs, self._outputs, list(self._constants.values())
        )
        return model_of(graph)


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    """The checked model of a graph, in versions that older runtimes know."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="tierwise")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model
