"""Graphs: nothing is there twice, one product for one tensor, methods side by side as alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.encoder import single_threaded_session
from router.types import Floats
from tests.training.methods.test_methods import ARMS, LABELS_ALONE, fit, run, wired, world
from training.edit.graph_columns import find_blend
from training.methods.affine import Affine
from training.methods.cluster import ClusterTable
from training.methods.onnx_graph import Graph
from training.methods.side_by_side import add_methods

WIDTH = 40
ROWS = np.random.default_rng(0).normal(size=(5, WIDTH)).astype(np.float32)


def said(graph: Graph, kind: str = "out") -> tuple[onnx.ModelProto, Any]:
    """The finished graph, and what it says of `ROWS`."""
    model = graph.model()
    session = single_threaded_session(model.SerializeToString())
    return model, session.run([kind], {"x": ROWS})[0]


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node if node.op_type != "Identity"]


def test_what_is_there_is_not_added_again() -> None:
    graph = Graph()
    tensor = graph.input("x", WIDTH)
    twice = [graph.op("Add", [tensor, graph.const(np.ones(WIDTH), np.float32)]) for _ in range(2)]
    other = graph.op("Add", [tensor, graph.const(np.zeros(WIDTH), np.float32)])
    assert twice[0] == twice[1] != other
    graph.output(graph.op("Mul", [twice[0], other]), "out", np.float32, WIDTH)
    model, found = said(graph)
    assert sorted(kinds(model)) == ["Add", "Add", "Mul"]
    assert len(model.graph.initializer) == 2
    assert np.array_equal(found, (ROWS + 1) * ROWS)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=4), st.sampled_from([1.5, None]),
       st.sampled_from([np.float32, np.float64]), st.integers(0, 9))  # fmt: skip
def test_products_of_one_tensor_are_one_node(
    widths: list[int], limit: float | None, kind: type[np.generic], seed: int
) -> None:
    rng, graph = np.random.default_rng(seed), Graph()
    tensor = graph.input("x", WIDTH)
    tensor = tensor if kind is np.float32 else graph.cast(tensor, kind)
    # some fit into 16 bits, some into 32, some into none
    matrices = [rng.normal(size=(WIDTH, w)).astype(rng.choice(["f2", "f4", "f8"])) for w in widths]
    shifts = [rng.normal(size=w) for w in widths]
    parts = [
        graph.linear(tensor, m, s, kind, limit=limit, to=np.float32)
        for m, s in zip(matrices, shifts, strict=True)
    ]
    assert parts[0] == graph.linear(
        tensor, matrices[0], shifts[0], kind, limit=limit, to=np.float32
    )
    graph.output(graph.beside(parts), "out", np.float32, sum(widths))
    model, found = said(graph)
    assert kinds(model).count("Gemm") == 1
    wanted = np.hstack(
        [ROWS.astype(np.float64) @ m + s for m, s in zip(matrices, shifts, strict=True)]
    )
    wanted = wanted if limit is None else np.clip(wanted, -limit, limit)
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_a_constant_is_stored_in_the_bits_that_it_needs(bits: int) -> None:
    values = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(f"f{bits // 8}")
    graph = Graph()
    row = graph.cast(graph.input("x", WIDTH), np.float64)
    product = graph.op("MatMul", [row, graph.const(values, np.float64)])
    graph.output(product, "out", np.float64, WIDTH)
    model, found = said(graph)
    (stored,) = model.graph.initializer
    assert onnx.numpy_helper.to_array(stored).dtype == values.dtype
    assert found == pytest.approx(ROWS @ values.astype(np.float64), abs=1e-12)


def test_what_is_linear_is_multiplied_before_it_is_written() -> None:
    rng, graph = np.random.default_rng(2), Graph()
    first, second, last = (
        rng.normal(size=(WIDTH, 3)),
        rng.normal(size=(WIDTH, 3)),
        rng.normal(size=(3, 2)),
    )
    tensor = graph.input("x", WIDTH)
    squares = graph.op("Mul", [tensor, tensor])
    assert Affine.of(tensor, np.eye(WIDTH)).add_to(graph) == tensor
    total = Affine.of(tensor, first, 0.5) + Affine.of(squares, second)
    graph.output(total.then(last).plus(np.array([1.0, 2.0])).add_to(graph), "out", np.float32, 2)
    model, found = said(graph)
    assert kinds(model) == ["Mul", "Gemm", "Gemm"]
    wanted = (ROWS @ first + 0.5 + ROWS**2 @ second) @ last + np.array([1.0, 2.0])
    assert found == pytest.approx(wanted, abs=1e-4)


def written(names: list[str], *, together: bool) -> tuple[int, Floats]:
    """How many nodes methods take, two of each on other rows, and what they say."""
    graph, methods = Graph(), []
    for name in names:
        for n in (400, 300):
            inputs, quality, _ = world(n, seed=n)
            methods.append(fit(name, inputs, quality))
    inputs = wired(graph)
    if together:
        parts = add_methods(graph, inputs, methods)
    else:
        parts = [method.add_to(graph, inputs) for method in methods]
    tensors = [part.add_to(graph) for part in parts]
    graph.output(graph.beside(tensors), "quality", np.float32, ARMS * len(tensors))
    test, _, _ = world(200, seed=1)
    found = run(graph, test)
    return len(graph.model().graph.node), found


def test_methods_side_by_side_say_what_they_say_alone() -> None:
    fewer, beside = written(LABELS_ALONE, together=True)
    more, alone = written(LABELS_ALONE, together=False)
    assert np.abs(beside - alone).max() < 1e-6
    assert fewer < 0.8 * more


def test_the_blend_of_a_table_without_errors_is_found() -> None:
    inputs, _, _ = world(200)
    table = ClusterTable(
        centroids=inputs.embedding[:30],
        values=np.ones((30, ARMS)),
        errors=np.zeros((30, ARMS)),  # stored in 16 bits
        blend=4,
        sharpness=10.0,
    )
    graph = Graph()
    index, weight, _ = table.add_weights(graph, wired(graph))
    graph.output(
        table.add_blend(graph, index, weight, table.errors), "quality_se", np.float32, ARMS
    )
    blend = find_blend(graph.model())
    assert (blend.index, blend.weight, blend.clusters) == (index, weight, 30)
