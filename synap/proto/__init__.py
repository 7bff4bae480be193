"""Protocols without sockets: machines that turn bytes into events, and replies into bytes."""
