"""Rows that Python carries out, by the area that they are about."""
