"""Hostile clients at the front door, and a large tenant beside a small one."""
