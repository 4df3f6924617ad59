"""Published methods, measured as ours is."""
