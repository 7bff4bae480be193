"""Forms of texts in replies to the command envelope, chosen by the headers by which each SDK is recognised.

Every SDK tries to read a text as JSON, and otherwise keeps it as a text. The SDKs differ in what they send:

    synap_sdk (PyPI, 1.4.0)      sends json.dumps of every value that is not a str, so 42 and "42" are stored as the
                                 same text, and it expects the text unchanged, `42`. It posts through httpx and
                                 accepts only JSON
    @hivellm/synap (TypeScript)  sends any JSON value unchanged; a text that reads as JSON must be sent as JSON text,
                                 `"\\"42\\""`, or the SDK would turn it into a number. It posts through fetch

So the exact form is the default, and the SDK that encodes values before it sends them gets the stored text.

The first versions of the TypeScript SDK read replies about collections one level too deep, as `payload` of the payload.
Without it their pops would lose what they have popped. They are recognised by a header that `fetch` adds.
"""

from typing import Any, Final

EXACT: Final = "$hybrid"
"""JSON values unchanged, and texts unchanged unless they read as JSON."""
RAW: Final = "$text"
"""Always a text, exactly as it is stored."""
NATIVE: Final = "$reply"
"""JSON values unchanged, and texts unchanged."""

CHOICES: Final = {"auto": "", "exact": EXACT, "raw": RAW}
"""The values of the setting server.envelope_texts."""

NESTED_FAMILIES: Final = frozenset({"hash", "list", "set", "zset"})
"""The families whose replies the first versions of the TypeScript SDK read from a `payload` within the payload."""

_AGENT: Final = b"python-httpx/"
_ACCEPTS: Final = b"application/json"


def texts_for(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the form of texts for the client that sends these headers (names in lower case)."""
    agent = accepts = False
    for name, value in headers:
        if name == b"user-agent":
            agent = value.startswith(_AGENT)
        elif name == b"accept":
            accepts = value == _ACCEPTS
    return RAW if agent and accepts else EXACT


def nests(choice: str, headers: list[tuple[bytes, bytes]], single: bool) -> bool:
    """Return whether replies get a copy of themselves, by the setting server.envelope_nested.

    `headers` are those of the request, with names in lower case; `single`: it is no batch, which no SDK sends.
    """
    if choice != "auto":
        return choice == "on"
    return single and any(name == b"sec-fetch-mode" for name, _ in headers)


def nested(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a reply with its copy, and with `success` if it has none."""
    return {**payload, "success": payload.get("success", True), "payload": payload}
