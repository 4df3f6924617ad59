"""Bundles that change without retraining: a new model, one less, other prices."""
