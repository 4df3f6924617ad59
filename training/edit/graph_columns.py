"""Change the columns of a bundle's graph: add arms after its own, or keep some of them.

The nodes of the old graph stay as they are, so its arms go on getting the same answers bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from router.core.encoder import single_threaded_session
from router.types import Doubles, Floats, Ints

from ..errors import ExportError
from ..methods.base import Inputs
from ..methods.onnx_graph import Graph

COLUMNS = ("quality", "quality_se", "output_tokens")  # outputs with one column per arm
# what lies between an error and the blend that it begins with; beside a base its square is summed
PASSED_ON = frozenset({"Identity", "Cast", "ReduceSum", "Concat", "Gather", "Sqrt", "Add", "Mul"})


@dataclass(frozen=True, slots=True)
class Blend:
    """Where a graph keeps the nearest centroids of a prompt, and their weights.

    Attributes:
        index: name of the (n, p) tensor of centroid numbers.
        weight: name of the (n, p) tensor of their weights, double.
        clusters: how many centroids there are.
    """

    index: str
    weight: str
    clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a graph says of n prompts, before anybody is added.

    Attributes:
        quality, quality_se, output_tokens: (n, a).
        weights: (n, k) shares of the clusters; rows sum to 1.
        cluster: (n,) nearest.
    """

    quality: Floats
    quality_se: Floats
    output_tokens: Floats
    weights: Doubles
    cluster: Ints


def find_blend(model: onnx.ModelProto) -> Blend:
    """Follow `quality_se` back to the blend over clusters that it is made by.

    Raises:
        ExportError: the graph is of another make.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    node = makers.get("quality_se")
    while node is not None and node.op_type in PASSED_ON:
        parts = [makers.get(name) for name in node.input]
        if node.op_type == "Mul" and _kinds(parts) == ["Gather", "Unsqueeze"]:
            gather, column = parts
            if gather and column:
                stored = makers.get(gather.input[0])  # a table that few bits hold is stored in them
                table = constants.get(stored.input[0] if stored else gather.input[0])
                if table is not None:
                    return Blend(gather.input[1], column.input[0], table.dims[0])
        node = parts[0]
    raise ExportError(
        "router.onnx holds no blend over clusters that a new arm could share; retrain the bundle "
        "with this version"
    )


def _kinds(nodes: Sequence[onnx.NodeProto | None]) -> list[str | None]:
    return [None if node is None else node.op_type for node in nodes]


def run(model: onnx.ModelProto, inputs: Inputs) -> Known:
    """Score prompts, with the cluster weights that the graph keeps to itself."""
    blend = find_blend(model)
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    for name, kind in ((blend.index, TensorProto.INT64), (blend.weight, TensorProto.DOUBLE)):
        opened.graph.output.append(helper.make_tensor_value_info(name, kind, ["n", None]))
    session = single_threaded_session(opened.SerializeToString())
    wanted = [*COLUMNS, "cluster", blend.index, blend.weight]
    feed = {"embedding": inputs.embedding, "features": inputs.features}
    quality, error, tokens, cluster, index, weight = session.run(wanted, feed)
    weights = np.zeros((len(inputs), blend.clusters))
    np.put_along_axis(weights, index, weight, axis=1)
    return Known(
        quality=quality,
        quality_se=error,
        output_tokens=tokens,
        weights=weights,
        cluster=cluster,
    )


def with_columns(
    model: onnx.ModelProto, graph: Graph, added: Mapping[str, str], count: int
) -> onnx.ModelProto:
    """The model with `count` further arms.

    Args:
        model: a bundle's graph.
        graph: nodes that compute the new columns from the old graph's tensors.
        added: output of COLUMNS -> float32 tensor (n, count) of `graph`; the columns before are
            that graph's `before(output)`.
        count: arms.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    taken = {name: _rename_output(out, name) for name in COLUMNS}
    graph.extend(out)
    for name, tensor in added.items():
        node = helper.make_node(
            "Concat", [taken[name], tensor], [name], name=f"to_{taken[name]}", axis=1
        )
        out.graph.node.append(node)
        _widen(out, name, count)
    onnx.checker.check_model(out)
    return out


def only_columns(model: onnx.ModelProto, kept: Sequence[int]) -> onnx.ModelProto:
    """The model with some of its arms, in the given order."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    for name in COLUMNS:
        before = _rename_output(out, name)
        chosen = f"{before}_kept"
        values = helper.make_tensor(chosen, TensorProto.INT64, [len(kept)], list(kept))
        out.graph.initializer.append(values)
        node = helper.make_node("Gather", [before, chosen], [name], name=f"of_{before}", axis=1)
        out.graph.node.append(node)
        width = out.graph.output[_place(out, name)].type.tensor_type.shape.dim[1].dim_value
        _widen(out, name, len(kept) - width)
    onnx.checker.check_model(out)
    return out


def before(model: onnx.ModelProto, name: str) -> str:
    """What the present output `name` will be called once columns change."""
    version = sum(
        tensor.startswith(f"{name}_v") for node in model.graph.node for tensor in node.output
    )
    return f"{name}_v{version}"


def _rename_output(model: onnx.ModelProto, name: str) -> str:
    fresh = before(model, name)
    for node in model.graph.node:
        for i, tensor in enumerate(node.output):
            if tensor == name:
                node.output[i] = fresh
    return fresh


def _place(model: onnx.ModelProto, name: str) -> int:
    return [output.name for output in model.graph.output].index(name)


def _widen(model: onnx.ModelProto, name: str, count: int) -> None:
    shape = model.graph.output[_place(model, name)].type.tensor_type.shape
    shape.dim[1].dim_value += count
