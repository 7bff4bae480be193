"""The naive twin of `synap.kernels.globs`: a list of elements, and every place a text can be at."""


def _lower(byte: int, nocase: bool) -> int:
    return byte + 32 if nocase and 65 <= byte <= 90 else byte


def _class(pattern: bytes, at: int, nocase: bool) -> tuple[set[int], int]:
    """The bytes that the class whose `[` stands before `at` accepts, and where the class ends."""
    negated = pattern[at : at + 1] == b"^"
    if negated:
        at += 1
    accepted: set[int] = set()
    everything = range(256)
    while at < len(pattern):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            accepted.add(pattern[at + 1])
            at += 2
        elif pattern[at] == ord("]"):
            at += 1
            break
        elif at + 2 < len(pattern) and pattern[at + 1] == ord("-"):
            low, high = (_lower(end, nocase) for end in sorted((pattern[at], pattern[at + 2])))
            accepted |= {byte for byte in everything if low <= _lower(byte, nocase) <= high}
            at += 3
        else:
            accepted |= {byte for byte in everything if _lower(byte, nocase) == _lower(pattern[at], nocase)}
            at += 1
    return (set(everything) - accepted if negated else accepted), at


def matches(pattern: bytes, text: bytes, nocase: bool = False) -> bool:
    """Does the whole text match? After each element, `places` holds how much text can be eaten."""
    places = {0}
    at = 0
    while at < len(pattern):
        element = pattern[at : at + 1]
        at += 1
        if element == b"*":
            places = set(range(min(places), len(text) + 1)) if places else set()
            continue
        if element == b"?":
            accepted = set(range(256))
        elif element == b"[":
            accepted, at = _class(pattern, at, nocase)
        else:
            if element == b"\\" and at < len(pattern):
                element = pattern[at : at + 1]
                at += 1
            accepted = {byte for byte in range(256) if _lower(byte, nocase) == _lower(element[0], nocase)}
        places = {place + 1 for place in places if place < len(text) and text[place] in accepted}
    return len(text) in places
