"""What other clients of the product expect, where it differs from ours: how they are known, and what they get."""
