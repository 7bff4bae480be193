"""What the connections of all protocols share: limits on unsent output, and the states of a connection."""
