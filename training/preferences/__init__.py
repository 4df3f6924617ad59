"""Preferences between answers and correctness of answers, learned as one utility."""
