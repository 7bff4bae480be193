"""The longest common subsequence by its definition, with memory."""

from functools import cache


def length(first: bytes, second: bytes) -> int:
    """Bytes of the longest common subsequence."""

    @cache
    def best(i: int, j: int) -> int:
        if i == len(first) or j == len(second):
            return 0
        if first[i] == second[j]:
            return 1 + best(i + 1, j + 1)
        return max(best(i + 1, j), best(i, j + 1))

    return best(0, 0)


def within(part: bytes, text: bytes) -> bool:
    """Is `part` a subsequence of `text`?"""
    rest = iter(text)
    return all(byte in rest for byte in part)
