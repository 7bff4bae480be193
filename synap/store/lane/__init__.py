"""The lane: kernels that turn the bytes that connections sent into replies, without Python between commands."""
