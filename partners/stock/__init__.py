"""A stay's stock in PostgreSQL, by item and day: what every stay on that engine can be built on."""
