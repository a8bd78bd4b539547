import asyncio
import shutil
from pathlib import Path

import pytest
from office import write_a_year


@pytest.fixture(scope="package")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a year in it, to be copied."""
    path = tmp_path_factory.mktemp("books") / "collector.db"
    asyncio.run(write_a_year(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def url(books: Path, tmp_path: Path) -> str:
    """The URL of a database of one's own, with a year in it."""
    return f"sqlite+aiosqlite:///{shutil.copy(books, tmp_path / 'collector.db')}"
