"""What a collector's database can stand on: SQLite or PostgreSQL, the same to a test."""

import re
import shutil
from pathlib import Path

from postgresql import Cluster
from sqlalchemy import URL, make_url

from sync_service.collector.config import DATABASE, SETTINGS_FILE


class SQLite:
    """Makes databases that are files in a folder."""

    name = "sqlite"
    setting = DATABASE
    """What the settings of a new collector say of its database: a file that goes with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def apart(self, folder: Path) -> "SQLite":
        """Another maker, whose databases end with a test."""
        return SQLite(folder)

    def empty(self) -> str:
        """The URL of a new database."""
        self._made += 1
        return f"sqlite+aiosqlite:///{self._folder / f'database-{self._made}.db'}"

    def copy(self, url: str) -> str:
        """The URL of a copy of a database that nobody has open."""
        copy = self.empty()
        shutil.copyfile(make_url(url).database, make_url(copy).database)
        return copy

    def copy_of_centre(self, folder: Path) -> None:
        """Give a copied collector's folder a database of its own: it has one."""

    def lose(self, url: URL) -> None:
        """Let there be nothing at a URL: it went with the folder."""

    def clear(self) -> None:
        """Drop all that was made: it goes with the folder."""


class PostgreSQL:
    """Makes databases in a cluster."""

    name = "postgresql"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: list[str] = []

    @property
    def setting(self) -> str:
        """What the settings of a new collector say of its database."""
        return self.empty()

    def apart(self, folder: Path) -> "PostgreSQL":
        """Another maker, whose databases end with a test."""
        return PostgreSQL(self._cluster)

    def empty(self) -> str:
        """The URL of a new database."""
        return self._create("template1")

    def copy(self, url: str) -> str:
        """The URL of a copy of a database that nobody has open."""
        return self._create(make_url(url).database)

    def copy_of_centre(self, folder: Path) -> None:
        """Give a copied collector's folder a database of its own, with all that is in the first."""
        path = folder / SETTINGS_FILE
        settings = path.read_text()
        [url] = re.findall(r'(?m)^database = "(.*)"$', settings)
        path.write_text(settings.replace(url, self.copy(url)))

    def lose(self, url: URL) -> None:
        """Let there be an empty database at a URL, and nothing of what was there."""
        self._cluster.drop(url.database)
        self._cluster.execute(f"CREATE DATABASE {url.database}")

    def clear(self) -> None:
        """Drop all that was made."""
        while self._made:
            self._cluster.drop(self._made.pop())

    def _create(self, template: str) -> str:
        self._made.append(self._cluster.create(template))
        return self._cluster.url(self._made[-1])


Databases = SQLite | PostgreSQL
