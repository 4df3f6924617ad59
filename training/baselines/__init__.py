"""Published routing methods as named baselines, one module a family."""
