"""The same trip without a conductor: partners that listen, act, and tell what came of it."""
