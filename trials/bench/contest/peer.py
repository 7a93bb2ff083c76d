"""`python -m trials.bench.contest.peer MODULE`: serves one of the peers until SIGTERM."""

import asyncio
import sys
from importlib import import_module

if __name__ == "__main__":
    # A workflow's module must not be `__main__`, and no peer is to carry the weight of another.
    asyncio.run(import_module(f"trials.bench.contest.{sys.argv[1]}").serve())
