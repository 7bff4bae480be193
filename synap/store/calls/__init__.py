"""Carrying out calls: one row with its refusals and its frame, or whole arrays of keys."""
