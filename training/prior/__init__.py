"""A bundle as what is known before any row: --base."""
