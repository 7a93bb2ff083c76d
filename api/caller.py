"""The caller of a request."""

from fastapi import Request

from access.caller import Caller, Scope


def caller_of(request: Request) -> Caller:
    """Whose request this is."""
    return getattr(request.state, "caller", None) or Caller("default", Scope.OPERATOR, "operator")
