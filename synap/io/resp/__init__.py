"""RESP over sockets: one kernel call for many connections, and a transport for the rest."""
