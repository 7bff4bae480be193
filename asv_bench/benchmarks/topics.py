"""Pub/sub without sockets: which of 10,000 patterns a topic meets that was never seen before."""

from synap.engine.pattern_trie import Trie

PATTERNS = 10_000
TOPICS = 2000


class WildcardMatch:
    """One walk of the trie for each topic; the patterns differ in where their wildcards stand."""

    params = [["segments", "first *", "globs", "globs first *", "globs within"]]
    param_names = ["patterns"]
    forms = {
        "segments": b"site.%d.*.#",
        "first *": b"*.unit%d.state",
        "globs": b"site.%d.*",
        "globs first *": b"*.unit%d.*",
        "globs within": b"*unit%05d*",
    }
    topics = {
        "segments": b"site.%d.floor.lamp",
        "first *": b"site.unit%d.state",
        "globs": b"site.%d.floor.lamp",
        "globs first *": b"site.unit%d.state",
        "globs within": b"site.unit%05d.state",
    }

    def setup(self, patterns: str) -> None:
        self.trie = Trie()
        add = self.trie.add_glob if patterns.startswith("globs") else self.trie.add_segments
        for i in range(PATTERNS):
            add(self.forms[patterns] % i, i)
        self.asked = [self.topics[patterns] % (i * 5) for i in range(TOPICS)]
        assert all(self.trie.match(topic) == [i * 5] for i, topic in enumerate(self.asked))

    def time_2000_topics(self, patterns: str) -> None:
        match = self.trie.match
        for topic in self.asked:
            match(topic)
