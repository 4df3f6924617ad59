"""What this router reaches beside every published method, as one committed report."""
