"""A site to ask at: its questionnaire, what is in force there, and what its kiosk starts from."""

from lone_centre import write_stamp

from kiosk_app.in_force import InForce
from sync_service.contract.publication import Publication, Stands
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import decode_record
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox

KEY = StoreKey(bytes(range(32)))


def both(text):
    return {"en": text, "cy": f"{text} (Cymraeg)"}


def options(*names):
    return [{"code": code, "name": name, "text": both(name)} for code, name in enumerate(names, 1)]


DOCUMENT = {
    "id": "visit",
    "version": 1,
    "title": both("Your visit"),
    "languages": ["en", "cy"],
    "ask": [["dignity"], ["involved"], ["comment"]],
    "items": [
        {
            "code": 1,
            "name": "dignity",
            "kind": "rating",
            "provenance": "New",
            "text": both("Were you treated with respect?"),
            "options": [
                *options("yes", "partly", "no"),
                {"code": 9, "name": "unsaid", "text": both("unsaid"), "scored": False},
                {
                    "code": 10,
                    "name": "not_yet",
                    "text": both("not yet"),
                    "scored": False,
                    "only_where": "waiting",
                },
            ],
        },
        {
            "code": 2,
            "name": "involved",
            "kind": "choice",
            "provenance": "New",
            "text": both("Were you involved?"),
            "options": options("yes", "no"),
        },
        {
            "code": 3,
            "name": "comment",
            "kind": "text",
            "provenance": "New",
            "text": both("What else?"),
            "max_length": 20,
            "notice": {"en": ["Name nobody."], "cy": ["Peidiwch ag enwi neb."]},
        },
        {
            "code": 4,
            "name": "willing",
            "kind": "choice",
            "provenance": "New",
            "needs": "invitation",
            "text": both("Would you help?"),
            "options": options("yes", "no"),
        },
    ],
}


def in_french_too(node):
    """The document with a third language, for sites that have more than two."""
    match node:
        case {"en": text}:
            return {**node, "fr": text}
        case {"languages": _}:
            translated = {key: in_french_too(value) for key, value in node.items()}
            return {**translated, "languages": ["en", "cy", "fr"]}
        case dict():
            return {key: in_french_too(value) for key, value in node.items()}
        case list():
            return [in_french_too(value) for value in node]
    return node


def questionnaire(*steps):
    """The site's questionnaire, asking other steps if any are given, each by its items' names."""
    ask = [step.split() for step in steps] or DOCUMENT["ask"]
    return Questionnaire.from_document(in_french_too({**DOCUMENT, "ask": ask}))


def in_force(centre, *steps, languages=("en",), stands=Stands.EXIT, replies=None, spoken="en cy"):
    """What is in force at a site with a stamp from this centre."""
    stamp = centre.stamp(questionnaire(*steps), languages=languages, stands=stands)
    key = stamp.publishing_key
    published = None if replies is None else Publication.verify(centre.publish(replies), key)
    return InForce.of(
        Publication.verify(stamp.questionnaire, key),
        Publication.verify(stamp.assignment, key),
        published,
        spoken.split(),
    )


class Site:
    """A folder with all that a kiosk starts from, and the store that it makes there."""

    def __init__(self, base, centre):
        self.base = base
        self.centre = centre
        self.data = base / "data"
        self.data.mkdir()
        (base / "key").write_bytes(KEY.secret)

    def stamp(self, *steps, languages=("en",)):
        """Stamp the site's kiosk."""
        stamp = self.centre.stamp(questionnaire(*steps), languages=languages)
        write_stamp(stamp, self.base / "stamp")
        return stamp

    def settings(self, **more):
        """The kiosk's settings file."""
        keys = {
            "data": str(self.data),
            "stamp": str(self.base / "stamp"),
            "store_key": str(self.base / "key"),
            "fullscreen": False,
            "trace_view": True,
            **more,
        }
        lines = (
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {str(value).lower()}"
            for key, value in keys.items()
            if value is not None
        )
        path = self.base / "kiosk.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def open_store(self):
        """The site's store, for a look or to stand in its way."""
        return open_store(self.data / "store.db", KEY)

    def records(self):
        """All that is in the store, opened by the centre's key, in the order it was put."""
        store = self.open_store()
        try:
            run = Outbox(store).next_run(1000, 10**9, None)
            if run is None:
                return []
            opening = self.centre.opening
            return [decode_record(opening.open(each, run.log_id)) for each in run.sealed]
        finally:
            store.dispose()
