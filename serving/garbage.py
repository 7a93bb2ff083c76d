"""How often a long-lived process looks for cyclic garbage."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 10, 5
"""New objects between two looks at the youngest generation, and looks between those at the older ones.

A trip makes some thousands of objects and few cycles. With Python's own 700, each trip was looked at many
times while it was still in use. The older generations are looked at rarely, but often enough that a worker
does not keep the cycles of trips long ended.
"""


def collect_less_often() -> None:
    """Call it when the process is ready to serve. Objects that exist by then are never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
