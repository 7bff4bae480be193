"""The lane: from the bytes that connections sent to their replies, in one kernel call."""
