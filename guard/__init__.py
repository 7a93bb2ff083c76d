"""May a call go out now, and if not, when? The door is `guard.guard`."""
