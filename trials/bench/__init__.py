"""Measurements: what the system costs, and how it stands beside its peers."""
