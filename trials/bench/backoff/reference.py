"""The figures that the simulations are held against."""

from trials.bench.backoff.contention import Contention

# Clients, then strategy. At 100 clients, as published by AWS. At 10, 50 and 190 AWS shows graphs without
# numbers, so these are means of the published program itself, run for 4,000, 400 and 100 trials.
CONTENTION: dict[int, dict[str, Contention]] = {
    10: {
        "none": Contention(380, 51),
        "exponential": Contention(3_473, 51),
        "equal": Contention(726, 42),
        "full": Contention(465, 39),
        "decorrelated": Contention(434, 38),
    },
    50: {
        "none": Contention(1_145, 691),
        "exponential": Contention(36_386, 624),
        "equal": Contention(4_176, 347),
        "full": Contention(2_887, 332),
        "decorrelated": Contention(2_217, 374),
    },
    100: {
        "none": Contention(2_025, 2_425),
        "exponential": Contention(63_472, 1_850),
        "equal": Contention(6_716, 811),
        "full": Contention(4_909, 796),
        "decorrelated": Contention(4_575, 1_003),
    },
    190: {
        "none": Contention(3_537, 7_993),
        "exponential": Contention(101_010, 5_160),
        "equal": Contention(9_427, 1_761),
        "full": Contention(7_386, 1_773),
        "decorrelated": Contention(7_967, 2_438),
    },
}

# Calls a client, and seconds until the last client is served.
HERD: dict[str, tuple[float, float]] = {
    "fixed": (205, 25),
    "exponential": (27, 413),
    "equal": (10, 33),
    "full": (11, 31),
}
