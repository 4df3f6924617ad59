"""A vector for every arm, a linear map of the prompt: matrix factorisation, EmbedLLM and MIRT.

Trained with Adam on the frozen sentence embedding. The papers' step sizes are for tables of other
sizes, so steps are counted rather than epochs; a tenth of the rows says when to stop and which
snapshot to keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from router.types import Doubles, Floats

from ...measure.outcomes import Sweep
from .evidence import Evidence, swept
from .ranking import preference_sweep

Loss = Callable[[Tensor, Tensor], Tensor]  # scores (n, a), quality (n, a) with NaN -> scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a head is trained."""

    width: int  # of the arm vectors
    noise: float  # standard deviation added to every embedding dimension, in training alone
    unit_arms: bool = False  # arm vectors scaled to length 1
    difficulty: bool = False  # subtract a scalar of the prompt, the same for all arms
    step: float = 5e-4
    batch: int = 256  # prompts, each with all its arms
    steps: int = 2500
    check: int = 25  # steps between looks at the tenth kept aside
    patience: int = 16  # looks without a better one after which training stops


class Head(nn.Module):  # type: ignore[misc]  # torch is not type-checked here
    """score = wᵀ(P_m ⊙ (A·e(x) + d)), less b(x) where the prompt has a difficulty."""

    def __init__(self, inputs: int, arms: int, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.arms = nn.Parameter(torch.randn(arms, recipe.width))
        self.project = nn.Linear(inputs, recipe.width)
        self.combine = nn.Parameter(torch.randn(recipe.width) / recipe.width**0.5)
        self.hardness = nn.Linear(inputs, 1)

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, a) from (n, d)."""
        arms = functional.normalize(self.arms) if self.recipe.unit_arms else self.arms
        score: Tensor = self.project(embedding) @ (arms * self.combine).T
        return score - self.hardness(embedding) if self.recipe.difficulty else score


def routellm_mf(evidence: Evidence) -> Sweep:
    """Matrix factorisation of RouteLLM (2406.18665, §4.2): δ(m, x) = wᵀ(P_m/‖P_m‖ ⊙ (A·e(x) + d)).

    Width 128, input noise 0.1, binary cross-entropy of δ_a - δ_b on the decisive battles. Arms are
    chosen as by the similarity-weighted ranking. The projection has the paper's bias d, which its
    code leaves out.
    """
    utility = _fitted(evidence, Recipe(width=128, noise=0.1, unit_arms=True), battle_loss)
    return preference_sweep("routellm_mf", utility, evidence.train)


def embedllm(evidence: Evidence) -> Sweep:
    """EmbedLLM (2410.02223): logit = w·(P_m ⊙ A·e(x)), width 232, input noise 0.05.

    The noise is off when it predicts and a missing label stays missing, unlike in its code.
    """
    logit = _fitted(evidence, Recipe(width=232, noise=0.05), label_loss)
    return swept("embedllm", 1.0 / (1.0 + np.exp(-logit)), evidence)


def mirt(evidence: Evidence) -> Sweep:
    """IRT-Router's multidimensional form (2506.01048): P = σ(a(x)ᵀθ_m - b(x)), width 25."""
    logit = _fitted(evidence, Recipe(width=25, noise=0.0, difficulty=True), label_loss)
    return swept("mirt", 1.0 / (1.0 + np.exp(-logit)), evidence)


def label_loss(score: Tensor, quality: Tensor) -> Tensor:
    """Binary cross-entropy over the known cells; a grade is a soft label."""
    known = ~torch.isnan(quality)
    return functional.binary_cross_entropy_with_logits(score[known], quality[known])


def battle_loss(score: Tensor, quality: Tensor) -> Tensor:
    """Logistic loss over all pairs of arms with different outcomes; ties tell it nothing."""
    won = (quality[:, :, None] > quality[:, None, :]).to(score.dtype)  # 0 where either is NaN
    gap = score[:, :, None] - score[:, None, :]
    # dense: gathering the battles costs more than the logarithms that it saves
    return (functional.softplus(-gap) * won).sum() / won.sum().clamp(min=1.0)


def _fitted(evidence: Evidence, recipe: Recipe, loss: Loss) -> Doubles:
    """The scores of the test prompts: (n, a)."""
    aside = evidence.held_back(0.1)
    embedding = torch.from_numpy(evidence.train_inputs.embedding)
    quality = torch.from_numpy(evidence.train.quality)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(evidence.seed)
        head = Head(embedding.shape[1], quality.shape[1], recipe)
        _train(head, embedding[~aside], quality[~aside], (embedding[aside], quality[aside]), loss)
    with torch.no_grad():
        scores: Floats = head(torch.from_numpy(evidence.test_inputs.embedding)).numpy()
    return scores.astype(np.float64)


def _train(
    head: Head, embedding: Tensor, quality: Tensor, aside: tuple[Tensor, Tensor], loss: Loss
) -> None:
    """Adam; leaves the head as it was when `aside` liked it best."""
    recipe = head.recipe
    optimiser = torch.optim.Adam(head.parameters(), lr=recipe.step)
    best, waited = np.inf, 0
    kept = {k: v.clone() for k, v in head.state_dict().items()}
    for step in range(1, recipe.steps + 1):
        rows = torch.randint(len(embedding), (recipe.batch,))
        noisy = embedding[rows]
        if recipe.noise > 0:
            noisy = noisy + recipe.noise * torch.randn_like(noisy)
        optimiser.zero_grad()
        loss(head(noisy), quality[rows]).backward()
        optimiser.step()
        if step % recipe.check:
            continue
        with torch.no_grad():
            error = float(loss(head(aside[0]), aside[1]))
        if error < best:
            best, waited = error, 0
            kept = {k: v.clone() for k, v in head.state_dict().items()}
        elif (waited := waited + 1) >= recipe.patience:
            break
    head.load_state_dict(kept)
