"""Empirical curves for what no formula gives: imperfect verifiers, and rounds of revision.

Both are fitted to measured points and both saturate; either may turn down, because a verifier can
be over-optimised (Gao et al. 2022, arXiv:2210.10760) and a revision can spoil a right answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from router.types import Doubles

START = (1.0, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierCurve:
    """How much of best-of-n's gain a verifier of a given AUC recovers.

    accuracy = p + (best-of-n - p) · s, where s = (2·AUC - 1)^sharpness · n^(-decay·(1 - AUC)):
    everything for a perfect verifier, nothing for a coin, and the less the more samples there are
    to be fooled by. The gain saturates, and past some n the decay may win.
    """

    sharpness: float  # >= 0
    decay: float  # >= 0

    def recovered(self, n: Doubles | int, auc: Doubles | float) -> Doubles:
        """The share s of the gain, 0 to 1."""
        skill = np.clip(2.0 * np.asarray(auc, dtype=np.float64) - 1.0, 0.0, 1.0)
        count = np.asarray(n, dtype=np.float64)
        return np.asarray(skill**self.sharpness * count ** (-self.decay * (1.0 - np.asarray(auc))))

    def accuracy(
        self, single: Doubles, best: Doubles, n: Doubles | int, auc: Doubles | float
    ) -> Doubles:
        """Accuracy between that of one sample and that of a perfect choice among n."""
        return np.asarray(single + (best - single) * self.recovered(n, auc))


def fit_verifier(
    single: Doubles, best: Doubles, n: Doubles, auc: Doubles, accuracy: Doubles
) -> VerifierCurve:
    """Fit sharpness and decay by least squares to measured points, all (m,).

    Args:
        single: accuracy of one sample.
        best: of a perfect choice among n.
        n: samples, >= 1.
        auc: of the verifier, 1/2 to 1.
        accuracy: what the verifier's choice reached.
    """

    def gap(found: Doubles) -> Doubles:
        curve = VerifierCurve(sharpness=float(found[0]), decay=float(found[1]))
        return curve.accuracy(single, best, n, auc) - accuracy

    found = least_squares(gap, START, bounds=([0.0, 0.0], [20.0, 20.0])).x
    return VerifierCurve(sharpness=float(found[0]), decay=float(found[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionCurve:
    """Rounds of revision as a two-state chain: wrong answers are mended, right ones spoiled.

    A round mends a wrong answer with probability mend·p and spoils a right one with probability
    spoil·(1 - p), p being the chance of a first answer: what is easy is mended easily. The chain
    tends to mend·p / (mend·p + spoil·(1 - p)), above p where mend > spoil and below it otherwise.
    """

    mend: float  # 0 to 1
    spoil: float  # 0 to 1

    def accuracy(self, p: Doubles, rounds: int) -> Doubles:
        """Accuracy after `rounds` answers in sequence; 1 is the first answer alone."""
        mended, spoiled = self.mend * p, self.spoil * (1.0 - p)
        moved = mended + spoiled
        limit = np.divide(mended, moved, out=np.array(p, dtype=np.float64), where=moved > 0)
        return np.asarray(limit + (p - limit) * (1.0 - moved) ** (rounds - 1))


def fit_revisions(p: Doubles, rounds: Doubles, accuracy: Doubles) -> RevisionCurve:
    """Fit mend and spoil by least squares to (m,) points.

    Args:
        p: chance of the first answer.
        rounds: answers in sequence, >= 1.
        accuracy: 0/1 outcomes or their means after so many.
    """

    def gap(found: Doubles) -> Doubles:
        curve = RevisionCurve(mend=float(found[0]), spoil=float(found[1]))
        parts = [curve.accuracy(p[rounds == r], int(r)) - accuracy[rounds == r] for r in kinds]
        return np.concatenate(parts)

    kinds = np.unique(rounds)
    found = least_squares(gap, (0.3, 0.1), bounds=([0.0, 0.0], [1.0, 1.0])).x
    return RevisionCurve(mend=float(found[0]), spoil=float(found[1]))


def auc(score: Doubles, passed: Doubles) -> float:
    """P(a passing sample scores above a failing one), ties one half; NaN without both kinds."""
    good = passed >= 0.5
    if good.all() or not good.any():
        return float("nan")
    order = np.sort(score[~good])
    below = np.searchsorted(order, score[good], side="left")
    level = np.searchsorted(order, score[good], side="right")
    return float((below + level).mean() / 2.0 / len(order))
