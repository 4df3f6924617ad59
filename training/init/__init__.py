"""A router of your own models, from a bundle that knows them: known, wanted, made."""
