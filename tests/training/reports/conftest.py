"""The small measured world of `tests.training.measured`."""

from tests.training.measured import evaluation, two_arm_evaluation, world

__all__ = ["evaluation", "two_arm_evaluation", "world"]
