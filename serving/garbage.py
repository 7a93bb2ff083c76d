"""How often a long-lived process looks for cyclic garbage."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 10, 5
"""New objects between two looks at the youngest, and looks between those at the older generations.

A trip makes some thousands of objects and few cycles; with Python's own 700 every trip was looked at many
times over while it was still in use. What is in use at a look counts as older, and its cycles stay until the
older are looked at: rarely, but not so rarely that the memory of a worker grows by trips long ended.
"""


def collect_less_often() -> None:
    """To be called when the process is ready to serve: what it holds by then is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
