"""The `tierwise` command line; commands of the other folders are loaded by name."""
