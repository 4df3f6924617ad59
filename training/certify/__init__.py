"""Promise a threshold: a quality loss that is bounded with confidence, on rows nobody used."""
