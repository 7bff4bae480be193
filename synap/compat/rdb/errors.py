"""Errors of the RDB readers. A reader raises no exception of another kind, whatever bytes it gets."""


class RdbError(Exception):
    """The base class: the bytes cannot be loaded."""


class BadData(RdbError):
    """The bytes are no value, or no file, of the format; `at` is the offset at which that shows."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what} at offset {at}")
        self.at = at


class EmptyValue(BadData):
    """A list, set, hash or sorted set without elements, which Redis does not store either."""


class WrongChecksum(RdbError):
    """A payload of DUMP with a version that is not known, or with another checksum than its bytes have."""


class NoFunction(RdbError):
    """A payload for libraries of functions that holds something else."""


class NotSupported(RdbError):
    """A value of a type that Synap does not have; `what` names it."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what} are not supported (offset {at})")
        self.what = what


class TooLarge(RdbError):
    """The value would take more memory, expanded, than the caller allows."""
