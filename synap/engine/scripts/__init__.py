"""Scripts: the state of Lua of an engine, its cache of scripts, and the calls that scripts make."""
