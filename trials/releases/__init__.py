"""Releases a build of the worker, and goes back, while trips are booked: no trip may be lost."""
