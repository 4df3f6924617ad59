"""Whole tables of prompts at once: decide, score, plan labels."""
