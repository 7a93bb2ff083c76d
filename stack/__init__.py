"""The embedded system: what is started, in which order, and how it is kept alive."""
