"""Kinds of settings: parse the text of a value, and write a value as text.

Each kind has `wanted` (accepted values, for error messages), `accepts` (a short form for the docs, may be empty),
`read` (text to value; raises `ValueError` with `wanted`) and `write` (value to a text that reads back as it).
"""

import re
from dataclasses import dataclass
from typing import Literal

MIB = 1 << 20
_DIGITS = r"(?:0|[1-9](?:_?[0-9]){0,20})"
UNITS = {"b": 1, "bytes": 1, "kb": 1 << 10, "mb": MIB, "gb": 1 << 30, "tb": 1 << 40}


@dataclass(frozen=True)
class Whole:
    """A decimal integer; `010` is refused because YAML versions disagree about it."""

    low: int
    high: int
    unit: str = ""

    @property
    def wanted(self) -> str:
        return f"a whole number{f' of {self.unit}' if self.unit else ''} from {self.low} to {self.high}"

    @property
    def accepts(self) -> str:
        return f"{self.low} to {self.high}{f' {self.unit}' if self.unit else ''}"

    def read(self, text: str) -> int:
        if not re.fullmatch(f"-?{_DIGITS}", text) or not self.low <= int(text) <= self.high:
            raise ValueError(self.wanted)
        return int(text)

    def write(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True)
class Size:
    """An amount of memory or disk: `64mb`, or a plain number in the setting's own unit."""

    low: int
    high: int
    unit: Literal["bytes", "mb"] = "bytes"

    @property
    def wanted(self) -> str:
        return f"a size from {self.accepts}, such as 64mb (a plain number counts {self.unit})"

    @property
    def accepts(self) -> str:
        return f"{self.write(self.low)} to {self.write(self.high)}"

    def read(self, text: str) -> int:
        found = re.fullmatch(f"({_DIGITS}) ?([a-z]*)", text.lower())
        if not found or (found[2] or self.unit) not in UNITS:
            raise ValueError(self.wanted)
        value, rest = divmod(int(found[1]) * UNITS[found[2] or self.unit], UNITS[self.unit])
        if rest or not self.low <= value <= self.high:
            raise ValueError(self.wanted)
        return value

    def write(self, value: int) -> str:
        if self.unit != "bytes" or value == 0:
            return str(value)
        unit = next((unit for unit in ("tb", "gb", "mb", "kb") if value % UNITS[unit] == 0), "")
        return f"{value // UNITS[unit]}{unit}" if unit else str(value)


@dataclass(frozen=True)
class Switch:
    """A boolean, `true` or `false`; other words, such as `yes`, `on` and `1`, are refused."""

    wanted = "true or false"
    accepts = ""

    def read(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError(self.wanted)
        return text == "true"

    def write(self, value: bool) -> str:
        return str(value).lower()


@dataclass(frozen=True)
class Choice:
    """One of some words. `others` are (word, meaning): synonyms, read as the word `meaning`."""

    words: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()

    @property
    def wanted(self) -> str:
        return f"one of {self.accepts}"

    @property
    def accepts(self) -> str:
        others = "".join(f"; {word} is {meaning}" for word, meaning in self.others)
        return ", ".join(self.words) + others

    def read(self, text: str) -> str:
        word = dict(self.others).get(text, text)
        if word not in self.words:
            raise ValueError(self.wanted)
        return word

    def write(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Text:
    """A text that is printable, not empty, and without space around it."""

    wanted: str
    accepts = ""

    def read(self, text: str) -> str:
        if not text or text != text.strip() or not text.isprintable():
            raise ValueError(self.wanted)
        return text

    def write(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Hosts:
    """One or several addresses to listen on: `a` or `[a, b]` in the file, `a,b` in the environment and in a flag."""

    wanted = "a host name or an IP address"
    accepts = "one or a list"

    def read(self, text: str) -> tuple[str, ...]:
        hosts = dict.fromkeys(self._host(part.strip()) for part in text.split(","))
        return tuple(hosts)

    def _host(self, text: str) -> str:
        """Return one host without the brackets of an IPv6 address. Raise ValueError if it is no host."""
        if re.fullmatch(r"\[[^\[\]]*:[^\[\]]*\]", text):
            text = text[1:-1]
        if not text or not text.isprintable() or re.search(r"[\s/\[\]]", text):
            raise ValueError(self.wanted)
        return text

    def write(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


@dataclass(frozen=True)
class Names:
    """A list of host names: `[a, b]` in the file, `a,b` in the environment and in a flag."""

    wanted = "a list of host names, such as [a.example, b.example], without scheme or port"
    accepts = ""

    def read(self, text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(",")) if text else ()
        if any(not re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names):
            raise ValueError(self.wanted)
        return names

    def write(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


@dataclass(frozen=True)
class Origins:
    """A list of origins of web pages: scheme, host and optional port; `*` means all origins."""

    wanted = "a list of origins, such as [https://a.example, http://localhost:3000], or [*]"
    accepts = ""

    def read(self, text: str) -> tuple[str, ...]:
        origins = tuple(origin.strip() for origin in text.split(",")) if text else ()
        if any(not re.fullmatch(r"\*|https?://[A-Za-z0-9._\[\]:-]+", origin) for origin in origins):
            raise ValueError(self.wanted)
        return origins

    def write(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


Kind = Whole | Size | Switch | Choice | Text | Hosts | Names | Origins
