"""The tour partner: seats on a day's departure, in PostgreSQL."""
