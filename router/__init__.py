"""tierwise: which model should answer a prompt, and how much compute it should spend.

What stands in `__all__` is the public interface; everything else may change between versions.
"""

from .catalogue.catalogue import Catalogue
from .core.bundle import Bundle
from .core.policy import Policy, Requires
from .engine import Router
from .errors import BundleError, CatalogueError, NoArmAllowed, PolicyError, RouterError
from .types import Arm, Decision
from .version import __version__

__all__ = [
    "Arm",
    "Bundle",
    "BundleError",
    "Catalogue",
    "CatalogueError",
    "Decision",
    "NoArmAllowed",
    "Policy",
    "PolicyError",
    "Requires",
    "Router",
    "RouterError",
    "__version__",
]
