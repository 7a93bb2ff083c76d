"""How long a test waits for what has to come."""

PATIENCE_S = 100.0
"""Only what is broken takes so long: no test passes or fails because of how fast a machine is."""
