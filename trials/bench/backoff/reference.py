"""The figures that the simulations are held against."""

from trials.bench.backoff.contention import Contention

# Completion in ms and writes, by clients and strategy. At 100 clients, as published by AWS. At 10, 50 and 190
# AWS shows graphs without numbers, so these are means of the published program itself, run for 4,000, 400 and
# 100 trials.
PUBLISHED_CLIENTS = 100
_CONTENTION = {
    "none": {10: (380, 51), 50: (1_145, 691), 100: (2_025, 2_425), 190: (3_537, 7_993)},
    "exponential": {10: (3_473, 51), 50: (36_386, 624), 100: (63_472, 1_850), 190: (101_010, 5_160)},
    "equal": {10: (726, 42), 50: (4_176, 347), 100: (6_716, 811), 190: (9_427, 1_761)},
    "full": {10: (465, 39), 50: (2_887, 332), 100: (4_909, 796), 190: (7_386, 1_773)},
    "decorrelated": {10: (434, 38), 50: (2_217, 374), 100: (4_575, 1_003), 190: (7_967, 2_438)},
}
CONTENTION = {
    strategy: {clients: Contention(*figures) for clients, figures in found.items()}
    for strategy, found in _CONTENTION.items()
}

# Calls a client, and seconds until the last client is served. None are known for decorrelated jitter.
HERD: dict[str, tuple[float, float]] = {
    "fixed": (205, 25),
    "exponential": (27, 413),
    "equal": (10, 33),
    "full": (11, 31),
}
