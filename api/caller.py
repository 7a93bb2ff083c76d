"""The caller of a request."""

from fastapi import Request

from api.tokens.caller import Caller


def caller_of(request: Request) -> Caller:
    """Whose request this is, as `api.guard` found out before the call."""
    caller: Caller = request.state.caller
    return caller
