"""The error of evaluation, a plain sentence for the command line."""

from __future__ import annotations

from ..errors import TrainingError


class EvaluationError(TrainingError):
    """The outcomes or choices cannot be measured; the message says what was found."""
