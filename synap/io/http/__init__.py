"""HTTP: connections, routes, the command envelope, admission, gzip."""
