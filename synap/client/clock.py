"""The client's clock and its chance: when leases and sessions end, and names that nobody else has."""

import time
import uuid

seconds = time.monotonic


def unique_name() -> str:
    """Return a name that nobody else has."""
    return uuid.uuid4().hex
