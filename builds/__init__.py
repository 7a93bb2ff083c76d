"""Releases a build of the worker, shows which builds there are, and moves trips from one to another."""
