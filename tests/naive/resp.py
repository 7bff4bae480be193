"""The naive twin of `store.resp.scan`: one command out of bytes, by regular expressions and slices."""

import re

INCOMPLETE, INLINE, BAD_COUNT_LINE, BAD_SIZE_LINE, NOT_A_BULK = 0, -1, -2, -3, -4
DIGITS_MAX = 32
NUMBER = rb"(-?[0-9]+)\r\n"
BEGINNING = rb"-?[0-9]*\r?"  # a line without digits is refused when it is whole


def line(data: bytes, at: int, most: int) -> tuple[int, int] | str:
    """(the number, where the next line starts), `cut`, or `wrong`."""
    digits = re.compile(rb"-?([0-9]*)").match(data, at)
    if int(digits[1] or b"0") > most or len(digits[0]) > DIGITS_MAX:
        return "wrong"
    if found := re.compile(NUMBER).match(data, at):
        return int(found[1]), found.end()
    return "cut" if re.fullmatch(BEGINNING, data[at:]) else "wrong"


def scan(data: bytes, word_max: int, words_max: int) -> tuple[int, list[bytes]]:
    """(how many bytes the first command takes, its words), or (a negative fault, [])."""
    if data[0:1] != b"*":
        return INLINE, []
    count = line(data, 1, words_max)
    if isinstance(count, str):
        return (INCOMPLETE if count == "cut" else BAD_COUNT_LINE), []
    number, at = count
    words = []
    for _ in range(number):
        if at == len(data):
            return INCOMPLETE, []
        if data[at : at + 1] != b"$":
            return NOT_A_BULK, []
        found = line(data, at + 1, word_max)
        if isinstance(found, str):
            return (INCOMPLETE if found == "cut" else BAD_SIZE_LINE), []
        size, at = found
        if size < 0:
            return BAD_SIZE_LINE, []
        words.append(data[at : at + size])
        if len(data) < at + size + 2:
            return INCOMPLETE, []
        if data[at + size : at + size + 2] != b"\r\n":
            return BAD_SIZE_LINE, []
        at += size + 2
    return at, words
