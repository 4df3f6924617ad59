"""tierwise: which model should answer a prompt, and how much compute it should spend."""

from .core.bundle import Bundle
from .core.policy import Policy, Requires
from .engine import Router
from .errors import BundleError, NoArmAllowed, PolicyError, RouterError
from .types import Arm, Decision
from .version import __version__

__all__ = [
    "Arm",
    "Bundle",
    "BundleError",
    "Decision",
    "NoArmAllowed",
    "Policy",
    "PolicyError",
    "Requires",
    "Router",
    "RouterError",
    "__version__",
]
