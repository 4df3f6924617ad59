"""Decide for more prompts than one process should: the same worker on this machine or a cluster."""
