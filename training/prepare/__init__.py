"""Tables to matrices, prompts to vectors: what methods learn from."""
