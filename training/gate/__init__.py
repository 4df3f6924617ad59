"""Proof before promotion: a candidate against the incumbent, in named checks with numbers."""
