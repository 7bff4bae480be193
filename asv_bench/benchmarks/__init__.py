"""Questions about Synap's own speed, one asv class each; comparisons with other servers are in `versus/`."""
