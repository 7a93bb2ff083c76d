"""The search attributes of trips. They are for people who look for trips in Temporal: no trip needs them."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from temporal.names import NAMES, PARTNER, STATUS, TENANT

TRIP_TENANT = SearchAttributeKey.for_keyword(TENANT)
TRIP_STATUS = SearchAttributeKey.for_keyword(STATUS)
TRIP_PARTNER = SearchAttributeKey.for_keyword(PARTNER)

_NOT_OURS = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})
"""How a server answers that does not let its callers see or change the attributes."""


async def missing(client: Client) -> list[str]:
    """The names that the namespace does not have. None are, if the server does not tell. Raises RPCError."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        found = await client.operator_service.list_search_attributes(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status in _NOT_OURS:
            return []
        raise
    return [name for name in NAMES if name not in found.custom_attributes]


async def register(client: Client) -> list[str]:
    """Register what is missing. Returns what is still missing then. Raises RPCError."""
    if names := await missing(client):
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes=dict.fromkeys(names, keyword)
        )
        try:
            await client.operator_service.add_search_attributes(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status not in _NOT_OURS | {RPCStatusCode.ALREADY_EXISTS}:
                raise
        names = await missing(client)
    return names
