"""Sums of products that are not in a graph yet, so that what follows and is linear, too, is free.

Most methods end in a table that weights are multiplied with, and what becomes of their predictions
is linear for long: a mean of methods, their contrasts, arms among others. All of that is one matrix
if it is multiplied here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from router.types import Doubles

from .onnx_graph import Graph


@dataclass(frozen=True, slots=True)
class Affine:
    """Σ tensor @ matrix + shift: (n, a)."""

    terms: Mapping[str, Doubles]  # tensor (n, w) -> matrix (w, a)
    shift: Doubles  # (a,)

    @classmethod
    def of(cls, tensor: str, matrix: ArrayLike, shift: ArrayLike = 0.0) -> Affine:
        """One term; the shift is (a,), or one number for all."""
        table = np.asarray(matrix, dtype=np.float64)
        moved = np.broadcast_to(np.asarray(shift, dtype=np.float64), table.shape[1])
        return cls({tensor: table}, moved)

    @classmethod
    def parts(cls, tensor: str, sizes: Sequence[int]) -> list[Affine]:
        """What lies side by side in a tensor (n, Σ sizes), one by one."""
        return [cls.of(tensor, place.T) for place in _places(sizes)]

    @classmethod
    def beside(cls, parts: Sequence[Affine]) -> Affine:
        """Several, side by side."""
        placed = zip(parts, _places([len(part.shift) for part in parts]), strict=True)
        first, *rest = (part.then(place) for part, place in placed)
        return sum(rest, first)

    def __add__(self, other: Affine) -> Affine:
        """The sum of both."""
        terms = dict(self.terms)
        for tensor, table in other.terms.items():
            terms[tensor] = terms[tensor] + table if tensor in terms else table
        return Affine(terms, self.shift + other.shift)

    def then(self, matrix: Doubles) -> Affine:
        """This @ (a, b)."""
        terms = {tensor: table @ matrix for tensor, table in self.terms.items()}
        return Affine(terms, self.shift @ matrix)

    def plus(self, shift: Doubles | float) -> Affine:
        """This + (a,), or one number for all."""
        return Affine(self.terms, self.shift + shift)

    def add_to(self, graph: Graph, kind: type[np.generic] = np.float32) -> str:
        """Write the sum into a graph; all tensors are of dtype `kind`, and so is the result."""
        (first, table), *rest = self.terms.items()
        if not rest and not self.shift.any() and np.array_equal(table, np.eye(len(table))):
            return first
        total = graph.linear(first, table, self.shift, kind)
        for tensor, matrix in rest:
            total = graph.op("Gemm", [tensor, graph.const(matrix, kind), total])
        return total


def _places(sizes: Sequence[int]) -> list[Doubles]:
    """For each of several parts (size, Σ sizes), where it lies beside the others."""
    return np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1])
