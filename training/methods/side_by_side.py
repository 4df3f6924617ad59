"""Many methods in one graph: what several of a kind compute is computed at once."""

from __future__ import annotations

from collections.abc import Sequence

from .affine import Affine
from .base import GraphInputs, Predictor
from .cluster import ClusterTable
from .kernel import KernelHead, add_kernels
from .knn import Neighbours
from .onnx_graph import Graph
from .search import add_searches


def add_methods(graph: Graph, inputs: GraphInputs, methods: Sequence[Predictor]) -> list[Affine]:
    """Write methods into a graph, each as `add_to` would."""
    searching = {i: m for i, m in enumerate(methods) if isinstance(m, ClusterTable | Neighbours)}
    kernels = {i: method for i, method in enumerate(methods) if isinstance(method, KernelHead)}
    searches = [method.search(graph, inputs) for method in searching.values()]
    written = dict(zip(searching, add_searches(graph, searches), strict=True))
    written |= zip(kernels, add_kernels(graph, inputs, list(kernels.values())), strict=True)
    return [
        written[i] if i in written else method.add_to(graph, inputs)
        for i, method in enumerate(methods)
    ]
