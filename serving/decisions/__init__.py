"""Typed questions about routing, in the two wires of decision models."""
