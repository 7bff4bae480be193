"""Sets: hash tables of members."""
