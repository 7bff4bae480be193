"""Sorted sets: members in the order of their scores."""
