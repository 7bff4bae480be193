"""Rooms: numbered events that are read from any offset."""
