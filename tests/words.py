"""Random words for a row: what its grammar allows, and then with something wrong about them."""

from random import Random

from synap.arguments import (
    AnyOrder,
    Choice,
    Counted,
    Flag,
    Glob,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
)

TEXTS = [b"a", b"b", b"", b"nx", b"\x00\xff", b"*", b"long" * 9, b"1-1", b"\xc3\xa9"]
INTEGERS = [b"0", b"1", b"2", b"5", b"-1", b"-3", b"9223372036854775807"]
REALS = [b"0", b"1", b"2.5", b"-1e3", b"inf", b"+3", b".5"]
WRONG = [b"007", b"+1", b"abc", b"", b"nan", b"9223372036854775808", b"1e999", b"~", b"=", b"-", b"-inf", b"1 ", b"2"]


class Words:
    """Draws words. `texts` are the keys and values to draw from."""

    def __init__(self, chance: Random, texts: list[bytes] = TEXTS) -> None:
        self.chance = chance
        self.texts = texts
        self.counts: dict[str, int] = {}

    def letters(self, word: str) -> bytes:
        """The word in any case."""
        draw = self.chance.random()
        text = word.upper() if draw < 0.5 else word.lower()
        if draw > 0.8:
            text = "".join(self.chance.choice((c.upper(), c.lower())) for c in word)
        return text.encode()

    def often(self) -> int:
        return self.chance.choice((1, 1, 1, 2, 3))

    def draw(self, node: object) -> list[bytes]:
        """Words for one argument."""
        chance = self.chance
        match node:
            case Key() | Raw() | Text() | Glob():
                return [chance.choice(self.texts)]
            case Int():
                return [chance.choice(INTEGERS)]
            case Real() | Timeout():
                return [chance.choice(REALS)]
            case Choice():
                return [self.letters(chance.choice(node.words))]
            case Flag():
                return [self.letters(node.word)]
            case Token():
                return [self.letters(node.word), *self.all(node.inner)]
            case OneOf():
                taken = node.inner and (node.required or chance.random() < 0.5)
                return self.draw(chance.choice(node.inner)) if taken else []
            case AnyOrder():
                return self.options(node)
            case Optional():
                return self.all(node.inner) if chance.random() < 0.6 else []
            case Many():
                number = self.counts.get(node.like, 1) if node.like else max(node.least, self.often())
                return self.groups(node, number)
            case Counted():
                number = max(node.least, self.often())
                return [str(number).encode(), *self.groups(node, number)]
            case Halves():
                number = self.often()
                return [word for half in node.inner for _ in range(number) for word in self.draw(half)]
        raise AssertionError(node)

    def groups(self, node: Many | Counted, number: int) -> list[bytes]:
        self.counts[node.name] = number
        return [word for _ in range(number) for word in self.all(node.inner)]

    def options(self, node: AnyOrder) -> list[bytes]:
        chosen = [inner for inner in node.inner if chance_of(inner, self.chance)]
        self.chance.shuffle(chosen)
        if chosen and self.chance.random() < 0.15:
            chosen.append(self.chance.choice(node.inner))
        return [word for inner in chosen for word in self.draw(inner)]

    def all(self, nodes: tuple[object, ...]) -> list[bytes]:
        return [word for node in nodes for word in self.draw(node)]

    def spoil(self, words: list[bytes]) -> list[bytes]:
        """Something wrong: a word dropped, doubled, moved, or another one in its place."""
        words = list(words)
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            if not words:
                break
            at = self.chance.randrange(len(words))
            match self.chance.randrange(6):
                case 0:
                    del words[at]
                case 1:
                    words.insert(self.chance.randrange(len(words) + 1), words[at])
                case 2:
                    other = self.chance.randrange(len(words))
                    words[at], words[other] = words[other], words[at]
                case 3:
                    words[at] = self.chance.choice(WRONG)
                case 4:
                    words.append(self.chance.choice(WRONG + words))
                case 5:
                    words[at] = self.chance.choice(INTEGERS + self.texts)
        return words

    def sample(self, args: tuple[object, ...]) -> list[bytes]:
        """Words for a row, spoilt half of the time."""
        self.counts = {}
        words = self.all(args)
        return self.spoil(words) if self.chance.random() < 0.5 else words


def chance_of(node: object, chance: Random) -> bool:
    """Is this option among the words?"""
    return (isinstance(node, OneOf) and node.required) or chance.random() < 0.4
