"""Measures of decisions against outcomes: pure functions of arrays, with intervals."""
