"""Tiers derived from repeated samples: best-of-n, votes, revisions."""
