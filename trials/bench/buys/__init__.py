"""What each mechanism buys: the same trips under the same faults, with one mechanism left out in turn."""
