"""From a prompt to scores and a choice: bundle, encoder, features, policy."""
