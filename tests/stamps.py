"""Kiosks as they are stamped, with no collector."""

from dataclasses import replace

from certificates import certificate
from lone_centre import LoneCentre
from views import questionnaire

from sync_service.collector.orders import Order
from sync_service.collector.stamping import Stamped
from sync_service.contract.network import Network
from sync_service.contract.pin import PinHash

WIFI = Network.from_document(
    {
        "link": "wifi",
        "ssid": "Council",
        "passphrase": "quiet words",
        "proxy": "http://kiosk:guarded@proxy.example:3128",
    }
)


def stamped(name="desk-1", *, network=None, call=None, pin="012345", centre=None, **of_site):
    """A kiosk that was stamped."""
    of_site = {"languages": ("en", "cy"), **of_site}
    stamp = (centre or LoneCentre()).stamp(questionnaire("library"), **of_site)
    stamp = replace(
        stamp,
        name=name,
        enrolment_code="SECR-ETCO-DE00-0000",
        staff_pin=PinHash.of(pin, 1),
        network=network,
        authority=certificate("Regard at Northvale").encode(),
    )
    order = Order("central", name, network=network, call=call)
    return Stamped(order, stamp, stamp.assigned, pin)
