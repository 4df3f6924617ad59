"""What changed since a bundle was trained: traffic, answers, prices."""
