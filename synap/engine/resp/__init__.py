"""The execution of RESP: a session of the engine behind one connection, without the socket."""
