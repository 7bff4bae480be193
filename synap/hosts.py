"""Hosts as texts: one in front of a port, and whether it is this machine alone."""


def authority(host: str, port: int) -> str:
    """`host:port` as URLs have it: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Can this address be reached from this machine alone?"""
    return host in ("localhost", "::1") or host.startswith("127.")
