"""RESP sockets: epoll rounds serve many connections in one kernel call, a transport serves the other cases."""
