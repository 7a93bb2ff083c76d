"""A tenant's share of the lists that are read at once, by the entries that they may have."""

from collections.abc import AsyncIterator

from fastapi import Depends, Request, Response

from api.authentication import ANY_CALL, CurrentCaller
from api.door import OpenDoor
from serving.problems import unavailable
from serving.queries import Limit

MOST = 8_000
"""How many entries of lists a front door reads at once. The loop that serves everybody decodes them."""

TOO_MANY = {"too_many_lists": 503, **ANY_CALL}
"""The refusals of a list, beside those that are its caller's fault."""


class TooManyLists(Exception):
    """The tenant's share of lists is taken: answered 503."""


async def refuse_list(_request: Request, _error: Exception) -> Response:
    """The answer to TooManyLists."""
    return unavailable("too_many_lists", "your tenant reads too many lists at once; ask for fewer or wait")


async def _share(door: OpenDoor, caller: CurrentCaller, limit: Limit = 50) -> AsyncIterator[None]:
    if not door.lists.may_take(caller.tenant, limit):
        raise TooManyLists
    with door.lists.held(caller.tenant, limit):
        yield


LIST_SHARE = Depends(_share)
"""A place among the lists, until the answer is made."""
