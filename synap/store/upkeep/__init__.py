"""Background work in steps that a budget bounds: freeing, expiry, eviction."""
