"""The collector's wishes about a log, as its reply to a status says them."""

import logging

from sync_service.contract.wire import StatusReply
from sync_service.outbox.outbox import Outbox

log = logging.getLogger(__name__)


def heed(reply: StatusReply, log_id: bytes, outbox: Outbox) -> None:
    """Offer again what is wanted of the log that the status was about; leave it if it has forked.

    Raises:
        OutboxError: the store failed.
    """
    for first_seq, last_seq in reply.wanted:
        outbox.offer_again(log_id, first_seq, last_seq)
    if _has_forked(reply, log_id, outbox) and outbox.note_fork(log_id):
        log.warning("log forked, another is begun", extra={"log": log_id.hex()})


def _has_forked(reply: StatusReply, log_id: bytes, outbox: Outbox) -> bool:
    """Whether somebody else writes on a log: a clone of this store, or a later state of it, before
    an old copy was put back.
    """
    if reply.forked:
        return True
    extent = outbox.extent()
    behind = reply.log_head is not None and extent.head.seq < reply.log_head.seq
    return behind and extent.log_id == log_id
