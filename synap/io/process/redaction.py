"""Redaction of secrets in log lines: passwords, tokens, API keys, credentials in URLs."""

import re
from typing import Any

STRUCK = "***"

_NAME = r"(?:[\w-]*(?:password|passwd|passphrase|secret|api[_-]?key|token)[\w-]*|requirepass|masterauth|credentials)"
_IS_SECRET = re.compile(rf"(?:{_NAME}|(?:proxy-)?authorization|cookie|set-cookie)", re.IGNORECASE)
_WORD = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"',;&}\])]+)"""

_IN_TEXT = (
    # Authorization: Bearer abc, with or without quotes around the name and the value
    (re.compile(r"(\b(?:proxy-)?authorization\b['\"]?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|(?:\w+\s+)?[^\s\"',;}]+)",
                re.IGNORECASE), rf"\1{STRUCK}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {STRUCK}"),
    # password=abc, "api_key": "abc", --token: abc
    (re.compile(rf"(\b{_NAME}['\"]?\s*[:=]\s*){_WORD}", re.IGNORECASE), rf"\1{STRUCK}"),
    # CONFIG SET requirepass abc; AUTH user abc, as a command or behind HELLO
    (re.compile(rf"(\b(?:requirepass|masterauth)['\"]?[\s,]+){_WORD}", re.IGNORECASE), rf"\1{STRUCK}"),
    (re.compile(rf"(\bAUTH2?['\"]?[\s,]+){_WORD}(?:[\s,]+(?!SETNAME\b){_WORD})?"), rf"\1{STRUCK}"),
    # redis://user:abc@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@", re.IGNORECASE), rf"\1{STRUCK}@"),
)  # fmt: skip


def is_secret(name: str) -> bool:
    """Return whether a field of this name holds a secret."""
    return _IS_SECRET.fullmatch(name) is not None


def without_secrets(value: Any, name: str = "") -> Any:
    """Return `value`, the field `name`, with everything that looks like a secret replaced by `***`."""
    if name and is_secret(name):
        return STRUCK
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        for pattern, shown in _IN_TEXT:
            value = pattern.sub(shown, value)
        return value
    if isinstance(value, dict):
        return {key: without_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value
