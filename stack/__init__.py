"""The embedded system: its parts, the order of their start, and how they are kept alive."""
