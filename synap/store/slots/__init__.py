"""Generated: the slots of each row's tape by name, a file for each family, see `synap/derive/slots.py`."""
