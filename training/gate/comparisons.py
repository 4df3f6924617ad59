"""What a candidate would have gained on logged decisions, told by comparisons of answers.

The service's judge compares the answer of the arm that was asked, f, with one of an arm s that it
draws with known probability c. Both routers' choices are held against f: with d = 2p - 1, how far
f's answer leads s's, and a model m of quality, the gain of arm y over f is doubly robustly

    g(y) = m(y) - m(f) + [s = y] / c · (-d - (m(y) - m(f))),   g(f) = 0

so that the mean of g(candidate) - g(incumbent), less what their costs differ by, is unbiased
whatever m is, over the decisions for which a comparison could have been drawn. It needs no
exploration: who answered is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from router.events import JUDGE
from router.types import Bools, Doubles, Ints

from ..measure.off_policy import LEAST_ESS, MOST_WEIGHT, Z95, effective_rows
from ..retrain.log_rows import Traffic
from .checks import FAILED, PASSED, UNDECIDED, Check, Margins

NAME = "value by comparisons at"
LEAST_SHOWN = 0.7  # of the choices that differ, as drawn comparisons stand for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """n decisions for which a comparison could be drawn, at one threshold.

    Attributes:
        first: (n,) arm that answered.
        second: (n,) arm that it was compared with; -1 where none was drawn.
        chance: (n,) probability of that comparison; 1 where none was drawn.
        lead: (n,) how far the first answer was found better, -1 to 1; 0 where none was drawn.
        model: (n, a) quality as predicted at the time.
        ours, theirs: (n,) arms that candidate and incumbent choose.
        spared: (n,) by which the incumbent's choice costs more, in units of quality.
    """

    first: Ints
    second: Ints
    chance: Doubles
    lead: Doubles
    model: Doubles
    ours: Ints
    theirs: Ints
    spared: Doubles

    def gain(self) -> tuple[float, float, float]:
        """The candidate's gain with its 95 % interval."""
        each = self._over_first(self.ours) - self._over_first(self.theirs) + self.spared
        half = Z95 * float(each.std(ddof=1)) / float(np.sqrt(len(each)))
        return float(each.mean()), float(each.mean()) - half, float(each.mean()) + half

    def _over_first(self, arm: Ints) -> Doubles:
        rows = np.arange(len(arm))
        expected = self.model[rows, arm] - self.model[rows, self.first]
        return np.asarray(expected + self._weight(arm) * (-self.lead - expected))

    def _weight(self, arm: Ints) -> Doubles:
        hit = (self.second == arm) & (self.first != arm)
        return np.where(hit, np.minimum(1.0 / self.chance, MOST_WEIGHT), 0.0)

    def _asked(self) -> tuple[Bools, Doubles]:
        """Choices that only a comparison can tell of, and the weights of those that do: (2n,)."""
        differ = self.ours != self.theirs
        each = (self.ours, self.theirs)
        needed = np.concatenate([differ & (arm != self.first) for arm in each])
        return needed, np.concatenate([self._weight(arm) for arm in each]) * needed

    @property
    def shown(self) -> float:
        """About 1 where every choice that differs could be drawn; less where some never were."""
        needed, weight = self._asked()
        return float(weight.sum() / needed.sum()) if needed.any() else 1.0

    @property
    def effective(self) -> float:
        """Rows that the log is worth: those that nothing differs on, and the comparisons' own."""
        same = int((self.ours == self.theirs).sum())
        return same + effective_rows(self._asked()[1])


def comparisons(
    traffic: Traffic,
    rows: Ints,
    chosen: Mapping[float, tuple[float | Doubles, Ints, Ints]],
) -> dict[float, Compared]:
    """The comparisons of some decisions, by threshold.

    Args:
        traffic: the log, its verdicts calibrated.
        rows: (n,) decisions for which a comparison could be drawn.
        chosen: threshold -> price of money, and the arms of candidate and incumbent, (n,) each.
    """
    place = {int(row): i for i, row in enumerate(rows)}
    second, chance, lead = np.full(len(rows), -1), np.ones(len(rows)), np.zeros(len(rows))
    for said in traffic.preferred:
        at = place.get(said.row)
        if at is not None and said.key == JUDGE and said.chance > 0.0:
            second[at], chance[at], lead[at] = said.against, said.chance, 2 * said.preference - 1
    every = np.arange(len(rows))
    usd, quality = (np.nan_to_num(m[rows]) for m in (traffic.expected_usd, traffic.expected))
    return {
        threshold: Compared(
            first=traffic.arm[rows],
            second=second,
            chance=chance,
            lead=lead,
            model=quality,
            ours=ours,
            theirs=theirs,
            spared=np.asarray(price * (usd[every, theirs] - usd[every, ours])),
        )
        for threshold, (price, ours, theirs) in chosen.items()
    }


def comparison_checks(found: Mapping[float, Compared], margins: Margins) -> list[Check]:
    """The checks on comparisons; none where no comparison could have been drawn."""
    checks = []
    for threshold, compared in sorted(found.items()):
        n, limit = len(compared.first), -margins.value_loss
        if n < 2:
            continue
        name, drawn = f"{NAME} {threshold:g}", int((compared.second >= 0).sum())
        if compared.effective < LEAST_ESS or compared.shown < LEAST_SHOWN:
            detail = (
                f"{drawn} comparisons on {n} decisions are worth {compared.effective:.0f} rows and "
                f"show {compared.shown:.0%} of the choices that differ; {LEAST_ESS:.0f} and "
                f"{LEAST_SHOWN:.0%} are needed: raise share or usd_per_day of [judge], or wait"
            )
            checks.append(
                Check(name=name, value=None, interval=None, limit=limit, verdict=UNDECIDED,
                      detail=detail)
            )  # fmt: skip
            continue
        gain, low, high = compared.gain()
        checks.append(
            Check(
                name=name, value=gain, interval=(low, high), limit=limit,
                verdict=PASSED if low >= limit else FAILED,
                detail=f"doubly robust gain by {drawn} comparisons on {n} decisions",
            )
        )  # fmt: skip
    return checks


def either(outcomes: list[Check], compared: list[Check]) -> list[Check]:
    """The checks of both kinds, where one that cannot tell stops nothing that the other can."""
    pairs = ((outcomes, _decided(compared)), (compared, _decided(outcomes)))
    return [
        replace(check, needed=check.verdict != UNDECIDED or _at(check) not in elsewhere)
        for checks, elsewhere in pairs
        for check in checks
    ]


def _decided(checks: list[Check]) -> set[str]:
    return {_at(check) for check in checks if check.verdict != UNDECIDED}


def _at(check: Check) -> str:
    """The threshold, as its name ends with it."""
    return check.name.rpartition(" ")[2]
