"""Words that graders write instead of a number."""

from __future__ import annotations

# word in lower case -> quality; other words are unreadable, not wrong
GRADES: dict[str, float] = {
    "correct": 1.0,
    "pass": 1.0,
    "passed": 1.0,
    "yes": 1.0,
    "true": 1.0,
    "incorrect": 0.0,
    "fail": 0.0,
    "failed": 0.0,
    "no": 0.0,
    "false": 0.0,
}
