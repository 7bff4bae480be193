"""RESP over sockets: epoll rounds serve many connections in one kernel call, a transport handles the other cases."""
