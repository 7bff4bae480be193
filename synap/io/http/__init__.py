"""HTTP: connections, routes, the command envelope, replies."""
