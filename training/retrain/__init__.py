"""Learning from the traffic that a router has routed."""
