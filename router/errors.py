"""The errors that routing raises, each with a stable code.

RouterError
├── BundleError      a bundle is missing, damaged, foreign or does not replay its golden prompts
├── CatalogueError   a catalogue cannot be read, or something in it is wrong
├── StoreError       a store has no such bundle, or a change is not allowed
└── PolicyError      the request asks for something contradictory or out of range
    └── NoArmAllowed the filters leave no arm
"""

import errno

_KINDS = {
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "is a file, where a folder is needed",
    errno.ENOTDIR: "lies in a file, where a folder is needed",
    errno.EISDIR: "is a folder, where a file is needed",
    errno.EACCES: "may not be read or written by this user",
}


def in_words(err: OSError) -> str:
    """What could not be done with which file, without the system's numbers."""
    said = _KINDS.get(err.errno or 0, err.strerror or "cannot be used")
    return str(err) if err.filename is None else f"{err.filename}: {said}"


class RouterError(Exception):
    """Anything that tierwise refuses; `code` is stable across versions, the text is not."""

    code = "router_error"


class BundleError(RouterError):
    """A bundle cannot be trusted; the message names the file."""

    code = "bundle_refused"


class CatalogueError(RouterError):
    """A catalogue cannot be used; the message names the key and what would work."""

    code = "catalogue_refused"


class StoreError(RouterError):
    """A store cannot do what was asked; the message says what it has."""

    code = "store_refused"


class PolicyError(RouterError):
    """A policy is contradictory or out of range."""

    code = "invalid_policy"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class NoArmAllowed(PolicyError):
    """No arm is left after the filters; the message says which filter took the last ones."""

    code = "no_arm_allowed"
