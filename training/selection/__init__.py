"""Choices made on out-of-fold predictions: settings, weights, calibration, the threshold's map."""
