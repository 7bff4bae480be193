"""Queues: messages that are leased, acknowledged and delivered again."""
