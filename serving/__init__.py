"""The HTTP service: one decision per request, in the shape that was measured to be fast."""
