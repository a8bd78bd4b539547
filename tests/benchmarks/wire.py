"""Bytes on the wire a response: the real agent's client and delivery, the real collector, TLS.

Counted is what goes through the TCP connection both ways, by a relay in between: requests and
replies with their headers and TLS's framing. TCP's own is left out.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from chain import Chain
from measuring import folder, tell
from respondents import response

from sync_service.agent.client import Collector
from sync_service.agent.delivery import Delivery
from sync_service.contract.publication import Keys, Publication
from sync_service.contract.record import encode_record
from sync_service.contract.signing import SigningKey, generate_signing_key
from sync_service.contract.wire import Enrolment, Recorded, Status, new_nonce
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox
from sync_service.settings import read_stamp

SIZES = (1, 50, 500)
SOFTWARE = "regard/0.1.0"
NOW = datetime.now(UTC)


class Relay:
    """Passes connections on to a port of this machine, and counts what goes through."""

    def __init__(self, port: int) -> None:
        self.passed = 0
        self.connections = 0
        self._to = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(self._to)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            self.passed += len(data)
            sink.sendall(data)
        with suppress(OSError):  # the other way ended first
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def full_outbox(path: Path, sealing_key, size: int) -> Iterator[Outbox]:
    """An outbox with so many responses in it."""
    random = Random(size)
    store = open_store(path, StoreKey(os.urandom(32)))
    outbox = Outbox(store)
    for _ in range(size):
        said = response(random)
        outbox.put(sealing_key.seal(encode_record(said), outbox.log_id), said.moment.half_day)
    try:
        yield outbox
    finally:
        store.dispose()


def main() -> None:
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        chain = stack.enter_context(Chain(place))
        chain.found()
        chain.open_site()
        chain.stamp_kiosk()
        stamp = read_stamp(chain.stamp)
        keys = Publication.verify(stamp.keys, stamp.publishing_key).body
        assert isinstance(keys, Keys)
        outboxes = {
            size: stack.enter_context(full_outbox(place / f"{size}.db", keys.sealing, size))
            for size in SIZES
        }
        sealed_length = len(outboxes[1].next_run(1, 1000, None).sealed[0])
        chain.start_collector()
        relay = stack.enter_context(closing(Relay(chain.port)))
        key = SigningKey(generate_signing_key())
        kiosk_id = key.verifying_key.kiosk_id
        collector = stack.enter_context(
            Collector(
                f"https://localhost:{relay.port}",
                stamp.authority,
                signing_key=key,
                believe=keys.receipt.verify,
                clock=Clock(),
                software=SOFTWARE,
                timeout_s=30,
            )
        )

        def passed_by(talk) -> int:
            before = relay.passed
            talk()
            return relay.passed - before

        def enrol() -> None:
            enrolment = Enrolment(
                key.verifying_key, new_nonce(), stamp.stamp_id, stamp.enrolment_code, SOFTWARE
            )
            collector.enrol(enrolment)

        def contact() -> None:
            extent = outboxes[1].extent()
            status = Status(
                kiosk_id=kiosk_id,
                nonce=new_nonce(),
                log_id=extent.log_id,
                head=extent.head,
                settled_seq=extent.settled_seq,
                oldest_held_seq=extent.oldest_held_seq,
                depth=extent.depth,
                oldest_waiting=extent.oldest_waiting,
                software=SOFTWARE,
                clock_synced=True,
                clock_at=int(NOW.timestamp()),
                uptime_h=100,
                last_error=None,
                publications={},
                stamp_id=stamp.stamp_id,
            )
            collector.status(status)

        def deliver(outbox: Outbox) -> None:
            delivery = Delivery(
                outbox, collector, kiosk_id, hold=lambda: None, stopping=lambda: False
            )
            receipt = delivery.deliver(NOW.date())
            assert set(receipt.outcomes) == {Recorded.ACCEPTED}

        enrolled = passed_by(enrol)
        contacted = passed_by(contact)
        delivered = {size: passed_by(lambda size=size: deliver(outboxes[size])) for size in SIZES}
        assert relay.connections == 1, "a new connection's handshake was counted"
        assert all(outbox.extent().depth == 0 for outbox in outboxes.values())

    bytes_per_response = {size: delivered[size] / size for size in SIZES}
    tell(
        "wire",
        figures={
            **{f"bytes_per_response_{size}": bytes_per_response[size] for size in SIZES},
            "bytes_per_status": contacted,
            "bytes_to_connect_and_enrol": enrolled,
        },
        baselines={"bytes_sealed": sealed_length},
        ratios={
            f"response_{size}_to_sealed": bytes_per_response[size] / sealed_length for size in SIZES
        },
    )


if __name__ == "__main__":
    main()
