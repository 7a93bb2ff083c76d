"""`python -m trials.bench.buys.partner NAME SEED`: a bundled partner whose lab draws the same lots each run.

The n-th request that it takes meets the same draw, whoever makes it.
"""

import random
import sys

from partners.process import main

if __name__ == "__main__":
    random.seed(f"{sys.argv.pop()}/{sys.argv[1]}")
    main("partners")
