"""The server: listeners, connections, upkeep, and the commands about the server itself."""
