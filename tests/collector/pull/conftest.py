import pytest
from analyst import Analyst
from centre import begun_centre


@pytest.fixture
def centre(tmp_path):
    with begun_centre(tmp_path) as centre:
        yield centre


@pytest.fixture
def analyst(centre):
    return Analyst(centre)
