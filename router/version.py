"""The version, in one place: the build and `tierwise --version` read it here."""

__version__ = "0.1.0"
