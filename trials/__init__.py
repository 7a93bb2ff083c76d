"""Measures the system, and breaks it on purpose, from outside."""
