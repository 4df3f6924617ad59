"""The page: what routing saved and where it lost, read from the decision log; plain HTML."""
