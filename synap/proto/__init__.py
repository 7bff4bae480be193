"""Sans-IO machines and dialects: bytes in, events out, replies in, bytes out."""
