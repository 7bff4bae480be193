"""Naive twins: plain Python with no imagination, to compare the kernels with."""
