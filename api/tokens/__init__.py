"""Tokens of the front door: who holds one, and what they may do with it."""
