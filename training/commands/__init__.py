"""The offline commands, one file a command."""
