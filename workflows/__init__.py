"""Workflows decide what is called, in which order, and what is undone. All code in here is deterministic."""
