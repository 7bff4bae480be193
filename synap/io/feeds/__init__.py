"""WebSockets and event streams: connections on which the server sends messages as they come, and their endpoints."""
