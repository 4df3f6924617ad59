"""Tables: what models answered, how well and at what price. Code only; no data lives here."""
