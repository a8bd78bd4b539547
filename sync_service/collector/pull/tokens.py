"""Tokens: who may pull. Each has a name, is shown once, and is kept as a digest only."""

import re
import secrets
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError

_PREFIX: Final = "regard_"  # so that a token left in a script is found by who looks for such
_RANDOM_LENGTH: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_token: Final = tables.pull_token.c


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without what it is. Days are in UTC."""

    name: str
    made_on: str
    used_on: str | None
    revoked_on: str | None


class Tokens:
    """The tokens in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, name: str, today: date) -> str:
        """Make a token; gives what its holder has to show. Nobody can look that up again.

        Raises:
            OfficeError: the name is taken, by a revoked token too, or can't be used.
        """
        if not _NAME.fullmatch(name):
            raise OfficeError(
                f"{name!r} can't be a name: use letters, digits, dots, hyphens and underscores,"
                " a letter or digit first, at most 64"
            )
        shown = _PREFIX + secrets.token_urlsafe(_RANDOM_LENGTH)
        async with writing(self._engine) as connection:
            taken = await connection.scalar(select(_token.name).where(_token.name == name))
            if taken is not None:
                raise OfficeError(
                    f"there is a token {name} already, or there was: take another name"
                )
            await connection.execute(
                insert(tables.pull_token).values(
                    name=name, digest=_digest(shown), made_on=today.isoformat()
                )
            )
        return shown

    async def list(self) -> list[Token]:
        """All tokens, the revoked ones too, by name."""
        columns = (_token.name, _token.made_on, _token.used_on, _token.revoked_on)
        async with reading(self._engine) as connection:
            found = await connection.execute(select(*columns).order_by(_token.name))
            return [Token(*row) for row in found]

    async def revoke(self, name: str, today: date) -> None:
        """Let a token open nothing more, from the next request on.

        Raises:
            OfficeError: there is none of this name, or it is revoked already.
        """
        async with writing(self._engine) as connection:
            in_force = await connection.scalar(
                select(_token.name).where(_token.name == name, _token.revoked_on.is_(None))
            )
            if in_force is None:
                raise OfficeError(f"there is no token {name} in force")
            await connection.execute(
                update(tables.pull_token)
                .where(_token.name == name)
                .values(revoked_on=today.isoformat())
            )

    async def admit(self, shown: str, today: date) -> bool:
        """Whether what was shown is a token in force. The day of its use is noted, and no more.

        Raises:
            BusyError: the database has no turn to give just now.
        """
        digest, day = _digest(shown), today.isoformat()
        async with reading(self._engine) as connection:
            found = await connection.execute(
                select(_token.used_on).where(_token.digest == digest, _token.revoked_on.is_(None))
            )
            row = found.one_or_none()
        if row is None:
            return False
        if row.used_on != day:
            async with writing(self._engine) as connection:
                await connection.execute(
                    update(tables.pull_token).where(_token.digest == digest).values(used_on=day)
                )
        return True


def _digest(shown: str) -> bytes:
    # As random as it is long, so nothing slower than this is needed.
    return sha256(shown.encode()).digest()
