"""Ranges of the durations and times of rows, with which keys expire."""

SECONDS_MAX = 9_000_000_000_000_000
"""The longest duration and the latest time: in ms, a duration added to the time of today still is a 64-bit integer."""
MS_MAX = SECONDS_MAX * 1000
