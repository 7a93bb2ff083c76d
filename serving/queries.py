"""What every list is asked: how long a page is, and where it starts."""

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=500, description="entries on a page")]
Cursor = Annotated[str | None, Query(max_length=4000, description="the next_cursor of the page before")]
