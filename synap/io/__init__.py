"""The only folder that waits: sockets, files and clocks."""
