"""The trips' record in PostgreSQL, for the workflow and the front door: every query on it stands here."""
