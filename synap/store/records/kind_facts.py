"""Facts about the kinds of keys, for the keyspace: they lie in the heap, so that a new kind recompiles no kernel."""

from synap.compiler.jit import kernel
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import ROOT_WORDS


@kernel
def root_words(words, kind):
    """Return the words of the root in a record of this kind; 0 of a string, without a load."""
    if kind == STRING:
        return 0
    return words[ROOT_WORDS + kind]
