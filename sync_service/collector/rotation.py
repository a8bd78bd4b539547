"""Rotation: a key of the centre that replaces another, published to kiosks in their order.

Private keys are made, never replaced: whatever was sealed to an old key still has to be opened.
A key in the folder that was never published, left behind by a rotation that was cut short or by a
database that was brought back from before one, is the first to come into force.
"""

from dataclasses import replace
from enum import Enum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector.error import KeyFileError, OfficeError
from sync_service.collector.keyring import Keyring, Signs
from sync_service.collector.published import Published
from sync_service.collector.publishing import Edition, Publisher, keys_in_force
from sync_service.contract.publication import Keys
from sync_service.contract.sealing import SealingAlgorithm, SealingKey
from sync_service.contract.signing import SigningKey, VerifyingKey

SEALING: Final = {
    algorithm.name.lower().replace("_", "-"): algorithm for algorithm in SealingAlgorithm
}
"""How a sealing key can seal, by the names that commands have for it."""


class Rotated(Enum):
    """Which key of the centre is replaced."""

    SEALING = "sealing"
    RECEIPT = "receipt"
    PUBLISHING = "publishing"


async def rotate(
    connection: AsyncConnection,
    keyring: Keyring,
    rotated: Rotated,
    now: int,
    algorithm: SealingAlgorithm | None = None,
) -> Edition:
    """Let a new key come into force; in the caller's writing transaction.

    ``algorithm`` is a new sealing key's; without it, that of the one in force.

    Raises:
        OfficeError: no keys were ever published.
        KeyFileError: the publishing key in force is not here, or none to open with.
    """
    keys = await keys_in_force(connection, keyring.publishing_keys())
    if keys is None:
        raise OfficeError("no keys are published: this is not a collector's database")
    published = await _published(connection, keyring)
    match rotated:
        case Rotated.SEALING:
            sealing_keys = {each.sealing for each in published}
            algorithm = algorithm or keys.sealing.algorithm
            keys = replace(keys, sealing=_next_sealing_key(keyring, sealing_keys, algorithm))
        case Rotated.RECEIPT:
            used = {each.receipt for each in published}
            keys = replace(keys, receipt=_next_key(keyring, Signs.RECEIPTS, used))
        case Rotated.PUBLISHING:
            used = {each.publishing for each in published}
            keys = replace(keys, publishing=_next_key(keyring, Signs.PUBLICATIONS, used))
    publisher = Publisher(keyring.signing_keys(Signs.PUBLICATIONS), keyring.publishing_keys())
    return await publisher.keys(connection, keys, now)


async def receipt_key(connection: AsyncConnection, keyring: Keyring) -> SigningKey:
    """What receipts and replies are signed by: of the keys that are here, the newest published.

    Raises:
        KeyFileError: none of them was published.
    """
    held = {key.verifying_key: key for key in keyring.signing_keys(Signs.RECEIPTS)}
    for keys in reversed(await _published(connection, keyring)):
        if keys.receipt in held:
            return held[keys.receipt]
    raise KeyFileError("no receipt key that was ever published is here: bring its file back")


async def _published(connection: AsyncConnection, keyring: Keyring) -> list[Keys]:
    """All keys that ever were published, oldest first."""
    published = Published(Keys, keyring.publishing_keys())
    await published.load_all(connection)
    return [published[serial] for serial in sorted(published)]


def _next_sealing_key(
    keyring: Keyring, used: set[SealingKey], algorithm: SealingAlgorithm
) -> SealingKey:
    for key in keyring.opening_keys():
        if key.sealing_key.algorithm is algorithm and key.sealing_key not in used:
            return key.sealing_key
    return keyring.add_opening_key(algorithm).sealing_key


def _next_key(keyring: Keyring, signs: Signs, used: set[VerifyingKey]) -> VerifyingKey:
    for key in keyring.signing_keys(signs):
        if key.verifying_key not in used:
            return key.verifying_key
    return keyring.add_signing_key(signs).verifying_key
