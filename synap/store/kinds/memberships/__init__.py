"""Consumer groups: members that share the partitions of a topic, and the offsets that they have committed."""
