"""Carrying out calls: one row with its refusals and its log frame, or whole arrays of keys."""
