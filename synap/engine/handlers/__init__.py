"""Handlers: the functions of rows that run in Python, one module for each area."""
