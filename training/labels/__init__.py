"""Which answers to have judged, so that a budget tells most about the cost-quality frontier."""
