"""Libraries of functions in Lua, by their names: their texts."""
