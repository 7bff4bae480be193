"""Toys: a kind that `tests/server/test_new_kind.py` plants in a copy of the package, as an example of a whole kind."""
