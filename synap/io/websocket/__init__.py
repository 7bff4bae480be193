"""WebSockets: the connection, and an endpoint for each thing that can be asked over one."""
