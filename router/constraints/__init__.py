"""Which arms a request may have: capabilities, deadline, prompt cache, cost cap."""
