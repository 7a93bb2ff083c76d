"""Two simulations of the project's own backoff policy; docs/backoff.md shows what they give."""
