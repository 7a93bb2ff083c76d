"""The car partner: cars for rent by the day, in PostgreSQL."""
