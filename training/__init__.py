"""Offline: learn a bundle from outcomes, measure it, export it."""
