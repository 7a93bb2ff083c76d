"""Calls to the partners over HTTP, whoever coordinates the trip."""
