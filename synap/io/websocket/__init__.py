"""WebSockets: the connection, and an endpoint for queues, for rooms and for pub/sub."""
