"""What only reproduces a published figure; no product module imports it."""
