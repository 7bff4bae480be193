"""Values of Redis' settings: what each accepts, and the reasons with which Redis refuses others.

A `Reader` is called with the text of CONFIG SET. It returns the value in the form in which CONFIG GET shows it, as an
integer or a text, or raises ValueError with Redis' reason. `accepts` says what it takes, for the documentation.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

UINT_MAX, INT_MAX, LONG_MAX, ULONG_MAX = (1 << 32) - 1, (1 << 31) - 1, (1 << 63) - 1, (1 << 64) - 1
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
NAMES = {INT_MAX: "2³¹-1", -INT_MAX - 1: "-2³¹", UINT_MAX: "2³²-1", LONG_MAX: "2⁶³-1", ULONG_MAX: "2⁶⁴-1"}
"""How the documentation writes large bounds."""
_C_NUMBER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
LIMITED_CLASSES = ("normal", "slave", "pubsub")
"""Classes of clients with limits of output, in Redis' order."""


@dataclass(frozen=True)
class Reader:
    """A function from the text of a value to the value; `accepts` describes the texts that it takes.

    `shown` reads what CONFIG GET shows. A value of the settings file may lie outside the bounds for CONFIG SET, so it
    has none.
    """

    accepts: str
    read: Callable[[str], int | str]
    shown: Callable[[str], int | str] | None = None

    def __call__(self, text: str) -> int | str:
        """Return the value. Raise ValueError with Redis' reason."""
        return self.read(text)

    def again(self, text: str) -> int | str:
        """Return the value that CONFIG GET shows as `text`."""
        return self.read(text) if self.shown is None else self.shown(text)


def integer(text: str) -> int:
    """Parse a 64-bit integer in its shortest spelling. Raise ValueError with Redis' reason."""
    value = int(text) if text.lstrip("-").isdecimal() and text.isascii() and text.count("-") < 2 else None
    if value is None or str(value) != text or not -LONG_MAX - 1 <= value <= LONG_MAX:
        raise ValueError("argument couldn't be parsed into an integer")
    return value


def bounded(value: int, least: int, most: int) -> int:
    """Return `value` if it lies within these bounds. Raise ValueError with Redis' reason."""
    if not least <= value <= most:
        raise ValueError(f"argument must be between {least} and {most} inclusive")
    return value


def size(text: str) -> int:
    """Parse bytes: digits (none count as 0) and one of Redis' units. Raise ValueError with Redis' reason."""
    digits = text.rstrip("bBkKmMgG")
    unit = text[len(digits) :].lower()
    if digits.strip("0123456789") or unit not in UNITS:
        raise ValueError("argument must be a memory value")
    return int(digits or 0) * UNITS[unit]


def _c_number(text: str) -> int:
    """Return the number that C's `strtoll` finds in the whole text; nothing counts as 0. Raise ValueError."""
    if text and not _C_NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text or 0)


def _c_real(text: str) -> float:
    """Return the number that Redis reads in the whole text, also a hexadecimal one; NaN if it is none."""
    if not text.isascii() or "_" in text or text.strip() != text:
        return math.nan
    try:
        return float.fromhex(text) if "x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        return math.nan


def _between(least: int, most: int) -> str:
    return f"{NAMES.get(least, least)} to {NAMES.get(most, most)}"


def whole(least: int, most: int) -> Reader:
    """Return a reader of an integer within bounds."""
    return Reader(_between(least, most), lambda text: bounded(integer(text), least, most), integer)


def capped(reader: Reader, least: int, most: int = LONG_MAX) -> Reader:
    """Return a reader of the same numbers, which makes the nearest within bounds of each; 0 stays if it may."""

    def read(text: str) -> int:
        value = int(reader(text))
        return min(max(value, least), most) if value or least == 1 else 0

    return Reader(f"{reader.accepts}, taken as {_between(least, most)}", read, reader.again)


def memory(least: int = 0, most: int = LONG_MAX) -> Reader:
    """Return a reader of a size in bytes within bounds."""
    bounds = "" if (least, most) == (0, LONG_MAX) else f", {_between(least, most)}"
    return Reader("bytes" + bounds, lambda text: bounded(size(text), least, most), size)


def choice(*words: str) -> Reader:
    """Return a reader of one of some words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError("argument(s) must be one of the following: " + ", ".join(words))
        return text.lower()

    return Reader(", ".join(f"`{word}`" for word in words), read)


def flags(*words: str) -> Reader:
    """Return a reader of several of some words; the first stands for none of the others."""

    def read(text: str) -> str:
        given = text.lower().split(" ")
        if any(word not in words for word in given):
            raise ValueError("argument(s) must be one of the following: " + ", ".join(words))
        if "save" in given and "nosave" in given:
            raise ValueError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return " ".join(word for word in words[1:] if word in given) or words[0]

    return Reader("some of " + ", ".join(f"`{word}`" for word in words), read)


def _share(text: str) -> str:
    try:
        number = integer(text[:-1]) if text[-1:] == "%" else size(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError("argument must be a memory or percent value")
    if number > (100 if text[-1:] == "%" else LONG_MAX):
        raise ValueError("percentage argument must be less or equal to 100")
    return f"{number}%" if text[-1:] == "%" else str(number)


def _switch(text: str) -> str:
    if text.lower() not in ("yes", "no"):
        raise ValueError("argument must be 'yes' or 'no'")
    return text.lower()


def _never_yes(text: str) -> str:
    if _switch(text) == "yes":
        raise ValueError("Active defragmentation cannot be enabled: it requires a Redis server compiled with a "
                         "modified Jemalloc like the one shipped by default with the Redis source "
                         "distribution")  # fmt: skip
    return "no"


def _host_name(text: str) -> str:
    if len(text) >= 256:
        raise ValueError("Hostnames must be less than 256 characters")
    if not (text.isascii() and text.replace("-", "a").replace(".", "a").isalnum()) and text:
        raise ValueError("Hostnames may only contain alphanumeric characters, hyphens or dots")
    return text


def _node_name(text: str) -> str:
    if {*text} & {*"!#$%&()*+:;<>?@[]^{|}~"}:
        raise ValueError("Announced human node name contained invalid character")
    return text


def _locale(text: str) -> str:
    if text not in ("", "C", "POSIX"):
        raise ValueError("Invalid locale name")
    return text


TITLE_WORDS = {"title": "", "server-mode": "", "unixsocket": "", "config-file": "-", "listen-addr": "*:0", "port": "0",
               "tls-port": "0"}  # fmt: skip
"""The variables of Redis' process title, and what stands for each when Redis tries a template."""


def _title(text: str) -> str:
    shown, rest = "", text
    while rest:
        before, brace, rest = rest.partition("{")
        shown += before
        if brace and rest.startswith("{"):
            shown, rest = shown + "{", rest[1:]
        elif brace:
            word, end, rest = rest.partition("}")
            if not end or word not in TITLE_WORDS:
                shown = ""
                break
            shown += TITLE_WORDS[word]
    if not shown.strip(" "):
        raise ValueError("template format is invalid or contains unknown variables")
    return text


def _percentiles(text: str) -> str:
    found = []
    for word in text.split(" ") if text else ():
        value = _c_real(word)
        if math.isnan(value):
            raise ValueError("Invalid latency-tracking-info-percentiles parameters")
        if not 0 <= value <= 100:
            raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        found.append(f"{value:f}".rstrip("0").rstrip("."))
    return " ".join(found)


def _oom_values(text: str) -> str:
    words = text.split(" ")
    if len(words) != 3:
        raise ValueError("wrong number of arguments")
    try:
        values = [_c_number(word) for word in words]
        if all(-2000 <= value <= 2000 for value in values):
            return " ".join(map(str, values))
    except ValueError:
        pass
    raise ValueError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")


def _save_points(text: str) -> str:
    words = text.split(" ") if text else []
    try:
        numbers = [_c_number(word) for word in words]
    except ValueError:
        numbers = [-1]
    if len(words) % 2 or any(number < 1 for number in numbers[::2]) or any(number < 0 for number in numbers):
        raise ValueError("Invalid save parameters")
    return " ".join(map(str, numbers))


def output_limits(text: str) -> dict[str, tuple[int, int, int]]:
    """Return hard limit, soft limit (bytes) and seconds of each class named. Raise ValueError with Redis' reason."""
    words = text.split(" ") if text else []
    if len(words) % 4:
        raise ValueError("Wrong number of arguments in buffer limit configuration.")
    found: dict[str, tuple[int, int, int]] = {}
    for i in range(0, len(words), 4):
        name = words[i].lower().replace("replica", "slave")
        if name not in LIMITED_CLASSES:
            raise ValueError("Invalid client class specified in buffer limit configuration.")
        try:
            found[name] = size(words[i + 1]), size(words[i + 2]), _c_number(words[i + 3])
        except ValueError:
            found[name] = 0, 0, -1
        if found[name][2] < 0:
            raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
    return found


def _output_limits(text: str) -> str:
    return " ".join(f"{name} {' '.join(map(str, limits))}" for name, limits in output_limits(text).items())


SWITCH = Reader("`yes`, `no`", _switch)
NO_DEFRAGMENTATION = Reader("`no`", _never_yes)
SHARE = Reader("bytes, or a percentage", _share)
ANYTHING = Reader("any text", lambda text: text)
HOST_NAME = Reader("a host name", _host_name)
NODE_NAME = Reader("a text with few signs", _node_name)
LOCALE = Reader("nothing, `C`, `POSIX`", _locale)
TITLE = Reader("a text with " + ", ".join(f"`{{{word}}}`" for word in TITLE_WORDS), _title)
PERCENTILES = Reader("numbers from 0 to 100", _percentiles)
OOM_VALUES = Reader("three numbers from -2000 to 2000", _oom_values)
SAVE_POINTS = Reader("pairs of seconds and changes", _save_points)
OUTPUT_LIMITS = Reader("class, hard limit, soft limit, seconds, for each class", _output_limits)
