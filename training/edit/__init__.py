"""Bundles that change without retraining: a model more or less, another price."""
