"""Generated: one door for each family, see `synap/derive/doors.py`."""
