"""A case, with an engine of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.partners_engines.cases import CASES, Case
from tests.partners_engines.engines import Engine, running_engine


@pytest.fixture(params=CASES, ids=lambda case: case.service.declaration.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def engine(case: Case) -> AsyncIterator[Engine]:
    async with running_engine(case.service.declaration) as started:
        yield started
