"""The sheet that is printed for each kiosk, for whoever plugs it in and looks after it.

It is one page of A4 as HTML, which needs no other file and no network. It quotes what the kiosk's
screen says, in English, word by word; a test holds it to that.
"""

from datetime import date
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sync_service.collector.stamping import Stamped
from sync_service.contract.network import EnterpriseWifi, Ethernet, Network, PersonalWifi
from sync_service.contract.publication import Publication, Stands
from sync_service.contract.questionnaire import Questionnaire

_HERE: Final = Path(__file__).parent
_PLACES: Final = {
    Stands.EXIT: "by the way out, where people pass as they leave",
    Stands.DESK: "by the desk, with the screen turned away from whoever works there",
    Stands.WAITING: "where people wait, with the screen turned away from the desk",
}


def write_sheet(stamped: Stamped, today: date) -> str:
    """The sheet of a kiosk. It holds the staff PIN: print it, then delete it."""
    templates = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("sheet.html").render(
        site=stamped.assignment.site_name,
        site_code=stamped.order.site,
        name=stamped.order.name,
        place=_PLACES[stamped.assignment.stands],
        pin=f"{stamped.pin[:3]} {stamped.pin[3:]}",
        call=stamped.order.call,
        network=_told_network(stamped.order.network),
        connected=stamped.order.network is None or stamped.order.network.link is not None,
        question=_first_question(stamped),
        today=f"{today.day} {today:%B %Y}",
    )


def _told_network(network: Network | None) -> str:
    """What has to be done for the network."""
    match network and network.link:
        case PersonalWifi(ssid=ssid) | EnterpriseWifi(ssid=ssid):
            return f"It finds the Wi-Fi “{ssid}” by itself. You need no network cable."
        case Ethernet():
            return "Plug the network cable into the kiosk, and into the network socket in the wall."
    if network is not None:
        return "It needs no network here. Leave the network socket empty."
    return "If it came with a network cable, plug it into the kiosk and the socket in the wall."


def _first_question(stamped: Stamped) -> str:
    """What the screen asks first, in English where it can."""
    stamp = stamped.stamp
    asked = Publication.verify(stamp.questionnaire, stamp.publishing_key).body
    assert isinstance(asked, Questionnaire)
    languages = stamped.assignment.languages
    language = "en" if "en" in languages else languages[0]
    return asked.by_name(asked.ask[0][0]).text[language]
