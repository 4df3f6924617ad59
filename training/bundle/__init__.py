"""The final fit, its decision constants, and the bundle that it is written to."""
