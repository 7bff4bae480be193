"""The heap: one mapping of registers, regions and pages, and what kernels keep in it: tables, tapes, frames."""
