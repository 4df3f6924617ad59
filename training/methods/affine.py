"""Sums of products that are not in a graph yet, so that what follows and is linear, too, is free.

Most methods end in a table that weights are multiplied with, and what becomes of their predictions
is linear for long: a mean of methods, their contrasts, arms among others. All of that is one matrix
if it is multiplied here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from router.types import Doubles

from .onnx_graph import Graph

Kind = type[np.generic]


@dataclass(frozen=True, slots=True)
class Affine:
    """Σ tensor @ matrix + shift: (n, a)."""

    terms: tuple[tuple[str, Doubles], ...]  # tensors (n, w), matrices (w, a)
    shift: Doubles  # (a,)

    @classmethod
    def of(cls, tensor: str, matrix: ArrayLike, shift: ArrayLike = 0.0) -> Affine:
        """One term; the shift is (a,), or one number for all."""
        table = np.asarray(matrix, dtype=np.float64)
        moved = np.broadcast_to(np.asarray(shift, dtype=np.float64), table.shape[1])
        return cls(((tensor, table),), moved)

    @classmethod
    def as_is(cls, tensor: str, width: int) -> Affine:
        """A tensor (n, width)."""
        return cls.of(tensor, np.eye(width))

    def __add__(self, other: Affine) -> Affine:
        """The sum of both."""
        return Affine((*self.terms, *other.terms), self.shift + other.shift)

    def then(self, matrix: Doubles) -> Affine:
        """This @ (a, b)."""
        terms = tuple((tensor, table @ matrix) for tensor, table in self.terms)
        return Affine(terms, self.shift @ matrix)

    def plus(self, shift: Doubles) -> Affine:
        """This + (a,)."""
        return Affine(self.terms, self.shift + shift)

    def add_to(self, graph: Graph, kind: Kind = np.float32) -> str:
        """Write the sum into a graph; all tensors are of dtype `kind`, and so is the result."""
        (first, table), *rest = self.terms
        if not rest and not self.shift.any() and np.array_equal(table, np.eye(len(table))):
            return first
        total = graph.linear(first, table, self.shift, kind)
        for tensor, matrix in rest:
            total = graph.op("Gemm", [tensor, graph.const(matrix, kind), total])
        return total
