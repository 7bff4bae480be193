"""Data structures in the heap, the lane that runs commands on them, and the doors of the families."""
