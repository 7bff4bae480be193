"""Structures in the heap, the lane over them, and the doors of the families."""
