"""Money over many requests: a paced stream, or one budget over a batch."""
