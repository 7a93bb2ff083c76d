"""Decisions only: what is called, in which order, and what is undone. Everything in here is deterministic."""
