"""Where encoder exports and embeddings are kept: one folder a user, found again from any folder."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

# everything in it is named by its content: it may be shared, copied and deleted at any time
CACHE = Path(os.environ.get("TIERWISE_CACHE") or user_cache_dir("tierwise"))
