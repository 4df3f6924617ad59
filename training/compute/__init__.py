"""Compute as a second axis: tiers learned, derived from samples, and spent where they pay."""
