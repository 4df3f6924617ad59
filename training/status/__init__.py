"""What is live, and what drifted."""
