"""The circuit breaker that the whole fleet shares: policy (pure), store (PostgreSQL), cached view."""
