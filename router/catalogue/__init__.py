"""What is known of models and tiers beside a bundle: abilities, prices, how to execute a tier."""
