"""Errors of the journal: damaged data (`Damage`), and a disk that refuses a write or sync (`LogFailed`)."""

from synap.faults import SynapError


class Damage(Exception):
    """Raised if promised data cannot be read back. No file was changed; the server must not start."""

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"{name} at byte {offset}: {reason}")
        self.name = name
        self.offset = offset
        self.reason = reason


class LogFailed(SynapError):
    """Raised if the disk refuses: the outcome of the seqs from `first_seq` to `last_seq` is unknown.

    These changes may or may not be there after a restart. The range is empty (`first_seq > last_seq`)
    if everything handed over is known to be on disk.
    """

    def __init__(self, first_seq: int, last_seq: int, reason: str) -> None:
        super().__init__(f"the log failed ({reason}); outcome unknown for seqs {first_seq} to {last_seq}")
        self.first_seq = first_seq
        self.last_seq = last_seq
        self.reason = reason
