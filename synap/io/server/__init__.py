"""The server: listeners, connections, upkeep, what operators ask for."""
