"""The document of the messages, open to all as that of the API is."""

from fastapi import APIRouter, Response

from choreography.asyncapi import published

router = APIRouter(include_in_schema=False)


@router.get("/asyncapi.json")
async def get_asyncapi() -> Response:
    """The messages of choreographed trips, as an AsyncAPI 3 document."""
    return Response(published(), media_type="application/json")
