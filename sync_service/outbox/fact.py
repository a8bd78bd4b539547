"""Facts: what a store knows by a name, one value each."""

from typing import Any

from sqlalchemy import Connection, text


def read_fact(connection: Connection, name: str) -> Any:
    """A fact; `None` if it is not known."""
    return connection.execute(
        text("SELECT value FROM fact WHERE name = :name"), {"name": name}
    ).scalar()


def keep_fact(connection: Connection, name: str, value: bytes | str | int | None) -> None:
    """Keep a fact; `None` forgets it."""
    if value is None:
        connection.execute(text("DELETE FROM fact WHERE name = :name"), {"name": name})
    else:
        connection.execute(
            text(
                "INSERT INTO fact (name, value) VALUES (:name, :value)"
                " ON CONFLICT (name) DO UPDATE SET value = :value"
            ),
            {"name": name, "value": value},
        )
