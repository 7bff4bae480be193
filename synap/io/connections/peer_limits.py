"""Limits on what one peer may send, how slowly it may send it, and how many messages may wait for it."""

from dataclasses import dataclass, fields

from synap.settings import Settings


@dataclass(slots=True)
class PeerLimits:
    """The settings `limits.*` of these names. CONFIG SET may change some of them while the server runs."""

    query_bytes_max: int
    http_head_bytes_max: int
    http_body_bytes_max: int
    http_head_s: int
    http_request_s: int
    http_idle_s: int
    websocket_message_bytes_max: int
    websocket_fragments_max: int
    feed_output_bytes_max: int


def peer_limits(settings: Settings) -> PeerLimits:
    """Return the limits that these settings give."""
    return PeerLimits(**{each.name: settings.number(f"limits.{each.name}") for each in fields(PeerLimits)})
