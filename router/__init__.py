"""tierwise: which model should answer a prompt, and how much compute it should spend."""

from .bundle import Bundle
from .engine import Router
from .errors import BundleError, NoArmAllowed, PolicyError, RouterError
from .policy import Policy, Requires
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
