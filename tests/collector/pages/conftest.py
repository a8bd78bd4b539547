import asyncio

import pytest
from grounds import Databases
from office import write_a_year


@pytest.fixture(scope="session")
def books(ground: Databases) -> str:
    """The URL of a database with a year in it, to be copied."""
    url = ground.empty()
    asyncio.run(write_a_year(url))
    return url
