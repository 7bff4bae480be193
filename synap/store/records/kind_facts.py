"""Facts about the kinds, for the keyspace and for timers: they lie in the heap, so a new kind recompiles no kernel."""

from synap.compiler.jit import kernel
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import KIND_SORTS, ROOT_WORDS


@kernel
def root_words(words, kind):
    """Return the words of the root in a record of this kind; 0 of a string, without a load."""
    if kind == STRING:
        return 0
    return words[ROOT_WORDS + kind]


@kernel
def head_words(words, kind):
    """Return the words before the name in a named record of this kind."""
    return words[ROOT_WORDS + kind]


@kernel
def sorts(words, kind):
    """Return what SORT makes of a kind: NOT_SORTED, IN_NO_ORDER or IN_ORDER, see `Kind.sorts`."""
    return words[KIND_SORTS + kind]
