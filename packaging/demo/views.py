"""Views of every kind, for pictures and tests: what a kiosk shows, without a kiosk."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from kiosk_app.session import Progress
from kiosk_app.view import (
    About,
    Asked,
    Notice,
    NoticeKind,
    Posted,
    Question,
    Screen,
    Trouble,
    View,
)
from sync_service.contract.publication import Answer, Invitation, Outcome, Owed
from sync_service.contract.questionnaire import Item, Questionnaire

QUESTIONNAIRES: Final = Path(__file__).parents[2] / "sync_service/collector/questionnaires"
SITE: Final = "Central Library"
OWED: Final = Posted(
    Owed(
        code=1,
        said={
            "en": "125 people told us that they were not involved in decisions.",
            "cy": "Dywedodd 125 o bobl wrthym na chawsant gymryd rhan mewn penderfyniadau.",
        },
        due=date(2027, 3, 14),
        signed_by={"en": "Siân Evans, librarian", "cy": "Siân Evans, llyfrgellydd"},
    ),
    days_late=9,
    number=1,
    total=3,
)
ANSWER: Final = Posted(
    Answer(
        code=2,
        said={
            "en": "The reading room is cold in the morning, and there is nowhere quiet to sit.",
            "cy": "Mae'r ystafell ddarllen yn oer yn y bore, ac nid oes unman tawel i eistedd.",
        },
        outcome=Outcome.DID,
        reply={
            "en": "The heating now comes on at seven, and the back room is quiet all day.",
            "cy": "Mae'r gwres bellach yn dod ymlaen am saith, a'r ystafell gefn yn dawel.",
        },
        signed_by={"en": "Siân Evans, librarian", "cy": "Siân Evans, llyfrgellydd"},
    ),
    days_late=0,
    number=2,
    total=3,
)
INVITATION: Final = Invitation(
    code=3,
    what={
        "en": "Help us plan the new reading room.",
        "cy": "Helpwch ni i gynllunio'r ystafell ddarllen newydd.",
    },
    when={"en": "Tuesdays at four o'clock", "cy": "Bob dydd Mawrth am bedwar o'r gloch"},
    whom={"en": "Ask for Siân at the desk", "cy": "Gofynnwch am Siân wrth y ddesg"},
)
ABOUT: Final = About(
    organisation_name="Cardiff Council",
    contact={
        "en": "Ask at the desk, or ring 029 2018 0000.",
        "cy": "Gofynnwch wrth y ddesg, neu ffoniwch 029 2018 0000.",
    },
    kept_months=24,
)


def questionnaire(name: str) -> Questionnaire:
    """A default questionnaire."""
    text = (QUESTIONNAIRES / f"{name}.toml").read_text(encoding="utf-8")
    return Questionnaire.from_document(tomllib.loads(text))


def asked(
    item: Item,
    *languages: str,
    stands: str = "exit",
    others: tuple[str, ...] = (),
    given: int | str | None = None,
) -> Asked:
    """An item as it is asked; one with an answer given before was come back to."""

    def questions(languages: tuple[str, ...]) -> tuple[Question, ...]:
        options = item.offered_options(stands)
        return tuple(Question.of(item, options, language) for language in languages)

    return Asked(
        item=item.code,
        kind=item.kind,
        questions=questions(languages),
        given=given,
        max_length=item.max_length,
        progress=Progress(1 if given is None else 2, 3),
        can_go_back=given is not None,
        elsewhere=questions(others),
    )


def attract(
    item: Item,
    *languages: str,
    stands: str = "exit",
    others: tuple[str, ...] = (),
    posted: Posted | None = None,
) -> View:
    """An attract screen that begins with an item."""
    return View(
        Screen.ATTRACT,
        SITE,
        languages,
        others,
        asked=asked(item, *languages, stands=stands, others=others),
        posted=posted,
    )


def asking(
    item: Item,
    language: str,
    *,
    stands: str = "exit",
    others: tuple[str, ...] = (),
    given: int | str | None = None,
) -> View:
    """A screen that asks an item."""
    return View(
        Screen.ASKING,
        SITE,
        (language,),
        others,
        asked=asked(item, language, stands=stands, others=others, given=given),
    )


def in_one_language(language: str, other: str) -> Iterator[tuple[str, View]]:
    """Every kind of screen in a language, at a site that has another as well; with its name."""
    library, gp = questionnaire("library"), questionnaire("gp")
    dignity, others, shown = library.by_name("dignity"), (other,), (language,)
    yield "attract", attract(dignity, language, others=others)
    yield "attract-owed", attract(dignity, language, others=others, posted=OWED)
    yield "attract-answer", attract(dignity, language, posted=ANSWER)
    yield "attract-waiting", attract(dignity, language, stands="waiting", others=others)
    involvement, involved = gp.by_name("involvement"), gp.by_name("involved")
    yield "asking", asking(involvement, language, others=others)
    yield "asking-answered-before", asking(involvement, language, others=others, given=2)
    yield "asking-five", asking(involved, language)
    yield "asking-five-waiting", asking(involved, language, stands="waiting", others=others)
    yield "asking-choice", asking(gp.by_name("age_band"), language)
    yield "asking-text", asking(gp.by_name("fft_reason"), language, others=others, given="Diolch")
    yield "still-there", View(Screen.STILL_THERE, SITE, shown)
    yield "paused", View(Screen.PAUSED, SITE, shown)
    yield "about", View(Screen.ABOUT, SITE, shown, about=ABOUT)
    yield "reply-owed", View(Screen.REPLIES, SITE, shown, posted=OWED)
    yield "reply-answer", View(Screen.REPLIES, SITE, shown, posted=ANSWER)
    invited = Posted(INVITATION, days_late=0, number=3, total=3)
    yield "reply-invitation", View(Screen.REPLIES, SITE, shown, posted=invited)
    yield "saving", View(Screen.SAVING, SITE, shown, saving_shown=True)
    yield "thanks", View(Screen.THANKS, SITE, shown)
    yield "thanks-invitation", View(Screen.THANKS, SITE, shown, invitation=INVITATION)
    yield "verdict", View(Screen.VERDICT, SITE, shown, posted=ANSWER)
    yield "discarded", View(Screen.DISCARDED, SITE, shown)
    for trouble in Trouble:
        name = f"out-of-service-{trouble.value.replace('_', '-')}"
        yield name, View(Screen.OUT_OF_SERVICE, SITE, shown, trouble=trouble)
    yield from notices(shown)


def in_both_languages(*languages: str) -> Iterator[tuple[str, View]]:
    """Every kind of screen that speaks two languages at once; with its name."""
    dignity = questionnaire("library").by_name("dignity")
    yield "attract", attract(dignity, *languages)
    yield "attract-owed", attract(dignity, *languages, posted=OWED)
    yield "attract-waiting", attract(dignity, *languages, stands="waiting")
    yield "paused", View(Screen.PAUSED, SITE, languages)
    for trouble in Trouble:
        name = f"out-of-service-{trouble.value.replace('_', '-')}"
        yield name, View(Screen.OUT_OF_SERVICE, SITE, languages, trouble=trouble)
    yield from notices(languages)


def notices(languages: tuple[str, ...]) -> Iterator[tuple[str, View]]:
    """Every notice that may hang at a kiosk that does not ask; with its name."""
    for kind in NoticeKind:
        notice = Notice(kind, waiting=1240)
        yield f"notice-{kind.value}", View(Screen.NOTICE, SITE, languages, notice=notice)
