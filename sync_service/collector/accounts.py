"""Accounts of the central team, and the browsers that are signed in to them.

Passwords are kept as argon2 hashes, sign-ins as digests of the browser's token: who reads the
database can sign in as nobody.
"""

import asyncio
import secrets
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
"""Characters in a password. Length is asked for, and no kinds of characters."""

MAX_NAME: Final = 64

SIGN_IN_S: Final = 24 * 3600
"""How long a browser stays signed in, in seconds: over 20 hours, so nobody need be warned."""

TOKEN_LENGTH: Final = 32

_AT_ONCE: Final = 2  # argon2 takes 64 MiB a time


@dataclass(frozen=True, slots=True)
class Account:
    """One of the central team; times in seconds since 1970."""

    name: str
    made_at: int
    signed_in_at: int | None


class Accounts:
    """The accounts in a database. ``hasher`` hashes their passwords."""

    def __init__(self, engine: AsyncEngine, hasher: PasswordHasher) -> None:
        self._engine = engine
        self._hasher = hasher
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # What a password is compared with where there is no such account: the same work.
        self._nobody = hasher.hash(secrets.token_hex())

    async def exist(self) -> bool:
        """Whether there is any account."""
        async with reading(self._engine) as connection:
            return bool(await connection.scalar(select(exists(select(tables.account)))))

    async def list(self) -> list[Account]:
        """All accounts, by name."""
        account = tables.account.c
        columns = (account.name, account.made_at, account.signed_in_at)
        async with reading(self._engine) as connection:
            found = await connection.execute(select(*columns).order_by(account.name))
            return [Account(*row) for row in found]

    async def add(self, name: str, password: str, now: int) -> None:
        """Add an account.

        Raises:
            OfficeError: the name is taken, or name or password can't be used.
        """
        if not name.isprintable() or not 1 <= len(name.strip()) == len(name) <= MAX_NAME:
            raise OfficeError(f"a name has 1 to {MAX_NAME} characters, and no blank at its ends")
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise OfficeError(
                f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters: take three words"
            )
        hashed = await asyncio.to_thread(self._hasher.hash, _as_hashed(password))
        async with writing(self._engine) as connection:
            account = tables.account
            taken = select(exists().where(account.c.name == name))
            if await connection.scalar(taken):
                raise OfficeError(
                    f"there is an account {name} already: to give it another password, remove it"
                    " and add it again"
                )
            await connection.execute(
                insert(account).values(name=name, password=hashed, made_at=now)
            )

    async def remove(self, name: str) -> None:
        """Remove an account; its browsers are signed out.

        Raises:
            OfficeError: there is no such account.
        """
        async with writing(self._engine) as connection:
            await connection.execute(delete(tables.sign_in).where(tables.sign_in.c.account == name))
            found = await connection.execute(
                delete(tables.account)
                .where(tables.account.c.name == name)
                .returning(tables.account.c.name)
            )
            if found.first() is None:
                raise OfficeError(f"there is no account {name}")

    async def sign_in(self, name: str, password: str, now: int) -> bytes | None:
        """A new token for a browser, or None if name and password don't go together.

        An unknown name takes the same work as a wrong password.
        """
        account = tables.account.c
        async with reading(self._engine) as connection:
            held = await connection.scalar(select(account.password).where(account.name == name))
        async with self._turns:
            right = await asyncio.to_thread(self._is_right, held or self._nobody, password)
        if held is None or not right:
            return None
        token = secrets.token_bytes(TOKEN_LENGTH)
        async with writing(self._engine) as connection:
            sign_in = tables.sign_in
            await connection.execute(delete(sign_in).where(sign_in.c.begun_at <= now - SIGN_IN_S))
            # The account may have been removed in the meantime, or have another password.
            found = await connection.execute(
                update(tables.account)
                .where(account.name == name, account.password == held)
                .values(signed_in_at=now)
                .returning(account.name)
            )
            if found.first() is None:
                return None
            await connection.execute(
                insert(sign_in).values(token_digest=_digest(token), account=name, begun_at=now)
            )
        return token

    async def signed_in(self, token: bytes, now: int) -> str | None:
        """The account that a browser with this token is signed in to, if any."""
        sign_in = tables.sign_in.c
        query = select(sign_in.account).where(
            sign_in.token_digest == _digest(token), sign_in.begun_at > now - SIGN_IN_S
        )
        async with reading(self._engine) as connection:
            return await connection.scalar(query)

    async def sign_out(self, token: bytes) -> None:
        """Sign a browser out."""
        async with writing(self._engine) as connection:
            await connection.execute(
                delete(tables.sign_in).where(tables.sign_in.c.token_digest == _digest(token))
            )

    def _is_right(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _as_hashed(password))
        except VerificationError:
            return False


def _as_hashed(password: str) -> str:
    """One form of what looks the same, whichever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password)


def _digest(token: bytes) -> bytes:
    return sha256(b"regard sign-in\x00" + token).digest()
