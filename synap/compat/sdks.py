"""How an SDK reads the values that the command envelope answers, told by the headers that it sends.

Every SDK tries to read a text as JSON and else keeps it. What they send differs:

    synap_sdk (PyPI, 1.4.0)      json.dumps of whatever is no str, so 42 and "42" are the same text: it needs the
                                 text as it stands, `42`. It posts through httpx and accepts JSON alone
    @hivellm/synap (TypeScript)  any JSON value as it is: a text that itself reads as JSON must come as JSON text,
                                 `"\\"42\\""`, or it would come back as a number. It posts through fetch

So the exact form is the rule, and the SDK that has encoded before it sends gets what it has encoded.
"""

from typing import Final

EXACT: Final = "$hybrid"
"""JSON as it is, a text as it is unless it reads as JSON."""
RAW: Final = "$text"
"""Always a text: what is stored, as it stands."""
NATIVE: Final = "$reply"
"""JSON as it is, and a text as it is."""

CHOICES: Final = {"auto": "", "exact": EXACT, "raw": RAW}
"""The words of the setting server.envelope_texts."""

_AGENT: Final = b"python-httpx/"
_ACCEPTS: Final = b"application/json"


def texts_for(headers: list[tuple[bytes, bytes]]) -> str:
    """The form of texts for whoever sends these headers (names in lower case)."""
    agent = accepts = False
    for name, value in headers:
        if name == b"user-agent":
            agent = value.startswith(_AGENT)
        elif name == b"accept":
            accepts = value == _ACCEPTS
    return RAW if agent and accepts else EXACT
