"""Host names and addresses as texts: `host:port` for URLs, and the test for loopback."""


def authority(host: str, port: int) -> str:
    """Return `host:port` for a URL; an IPv6 address is put in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach the address."""
    return host in ("localhost", "::1") or host.startswith("127.")
