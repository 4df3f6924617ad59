"""A simulated world of prompts and models whose truth is known."""
