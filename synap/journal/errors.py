"""The two ways in which a journal can fail its owner."""

from synap.faults import SynapError


class Damage(Exception):
    """Data once promised cannot be read back. Nothing was changed; the server must not start."""

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"{name} at byte {offset}: {reason}")
        self.name = name
        self.offset = offset
        self.reason = reason


class LogFailed(SynapError):
    """The disk refused: for the seqs from `first_seq` to `last_seq` the outcome is unknown.

    They may or may not come back after a restart. The range is empty (`first_seq > last_seq`) when
    everything handed over is known to be on disk.
    """

    def __init__(self, first_seq: int, last_seq: int, reason: str) -> None:
        super().__init__(f"the log failed ({reason}); outcome unknown for seqs {first_seq} to {last_seq}")
        self.first_seq = first_seq
        self.last_seq = last_seq
        self.reason = reason
