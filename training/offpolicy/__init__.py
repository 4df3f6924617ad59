"""What a policy would have earned on traffic that another policy routed."""
