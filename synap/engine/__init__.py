"""The engine: sessions, calls, waiting calls, transactions and pub/sub. Synchronous, no clock, no files."""
