"""Lua inside the store: the C functions of Lua as kernels call them, and what Lua calls back."""
