"""One typed request for every wire: read, counted, and told apart from its wrapping."""
