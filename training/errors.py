"""The errors of training, each a plain sentence for the command line.

TrainingError
├── ConfigError  the configuration cannot be read or contradicts itself
└── ExportError  the exported graph does not do what the fitted models do
"""


class TrainingError(Exception):
    """Training cannot go on; the message says what was found and what would work.

    Attributes:
        more: what only `--verbose` prints.
    """

    def __init__(self, message: str, *, more: str = "") -> None:
        super().__init__(message)
        self.more = more


class ConfigError(TrainingError):
    """The configuration cannot be read or contradicts itself."""


class ExportError(TrainingError):
    """The exported graph does not do what the fitted models do."""
