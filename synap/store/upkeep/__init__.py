"""Background work in steps bounded by a budget: freeing structures, finding expired keys, evicting keys."""
