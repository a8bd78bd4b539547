import pytest
from analyst import Analyst


@pytest.fixture
def analyst(centre):
    return Analyst(centre)
