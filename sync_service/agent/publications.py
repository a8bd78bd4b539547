"""Publications on their way in: fetched by digest, taken by the store if they prove themselves."""

import logging
from collections.abc import Callable, Sequence

from sync_service.agent.client import (
    ContactError,
    ContractBrokenError,
    UnreachableError,
)
from sync_service.contract.error import ContractError
from sync_service.contract.publication import publication_digest
from sync_service.contract.wire import Offer
from sync_service.outbox.state import State

log = logging.getLogger(__name__)


class Publications:
    """Fetches what the collector offers and hands it to the store.

    ``find`` gives the bytes that are kept under a digest, or raises a `ContactError`.
    """

    def __init__(self, find: Callable[[bytes], bytes], state: State) -> None:
        self._find = find
        self._state = state
        self._refused: set[Offer] = set()
        self._missing: set[Offer] = set()

    def take(self, offers: Sequence[Offer]) -> bool:
        """Take offers in their order, and say whether any was taken.

        What can't be had now is left for the next contact: no record waits for a publication.
        What the store refuses is said once, and not fetched again while the same is offered.

        Raises:
            OutboxError: the store failed.
        """
        self._refused.intersection_update(offers)
        self._missing.intersection_update(offers)
        taken = False
        for offer in offers:
            if offer in self._refused:
                continue
            try:
                signed = self._fetch(offer)
                self._state.take(signed)
            except UnreachableError as error:
                self._miss(offer, error)
                break  # what comes after it may depend on it, and would hardly come through
            except ContactError as error:
                self._miss(offer, error)
            except ContractError as error:
                self._refused.add(offer)
                log.warning("publication refused", extra=_fields(offer, reason=error))
            else:
                taken = True
                log.info("publication taken", extra=_fields(offer))
                self._refused.clear()  # they may have waited for this key, or this assignment
        return taken

    def _fetch(self, offer: Offer) -> bytes:
        signed = self._find(offer.digest)
        if publication_digest(signed) != offer.digest:
            raise ContractBrokenError("wrong-digest", "not the publication that was offered")
        return signed

    def _miss(self, offer: Offer, error: ContactError) -> None:
        if offer not in self._missing:
            self._missing.add(offer)
            log.warning("publication not to be had", extra=_fields(offer, reason=error))


def _fields(offer: Offer, **more: object) -> dict[str, object]:
    return {"kind": offer.kind.value, "serial": offer.serial, **more}
