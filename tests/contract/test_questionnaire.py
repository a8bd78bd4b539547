import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_service.contract.codec import decode, encode
from sync_service.contract.error import MalformedError
from sync_service.contract.publication import Stands
from sync_service.contract.questionnaire import (
    MAX_SESSION_TEXT,
    Questionnaire,
    QuestionnaireError,
    check_successor,
)
from sync_service.contract.record import Moment, Response, decode_record, encode_record

ROOT = Path(__file__).parents[2]
DEFAULTS = ROOT / "sync_service/collector/questionnaires"
DOCS = ROOT / "docs/questionnaires.md"

Document = dict[str, Any]
Edit = Callable[[Document], None]


def document() -> Document:
    """A small questionnaire of every kind."""
    return {
        "id": "pool",
        "version": 2,
        "languages": ["en", "cy"],
        "title": {"en": "Your swim", "cy": "Eich sesiwn nofio"},
        "ask": [["welcome"], ["side", "comment"]],
        "items": [
            {
                "code": 1,
                "name": "welcome",
                "kind": "rating",
                "provenance": "New",
                "text": {"en": "Welcome?", "cy": "Croeso?"},
                "options": [
                    {"code": 1, "name": "yes", "text": {"en": "Yes", "cy": "Oes"}},
                    {"code": 2, "name": "no", "text": {"en": "No", "cy": "Nac oes"}},
                    {
                        "code": 16,
                        "name": "not_seen_yet",
                        "text": {"en": "Not seen yet", "cy": "Heb fy ngweld eto"},
                        "scored": False,
                        "only_where": "waiting",
                    },
                ],
            },
            {
                "code": 2,
                "name": "side",
                "kind": "choice",
                "provenance": "Exact",
                "source": "A card.",
                "needs": "invitation",
                "text": {"en": "Which side?", "cy": "Pa ochr?"},
                "options": [
                    {"code": 1, "name": "left", "text": {"en": "Left", "cy": "Chwith"}},
                    {"code": 2, "name": "right", "text": {"en": "Right", "cy": "De"}},
                ],
            },
            {
                "code": 2**32 - 1,
                "name": "comment",
                "kind": "text",
                "provenance": "New",
                "text": {"en": "Why?", "cy": "Pam?"},
                "max_length": 20,
                "notice": {"en": ["One.", "Two."], "cy": ["Un.", "Dau."]},
            },
        ],
    }


def problems_of(value: object) -> tuple[str, ...]:
    with pytest.raises(QuestionnaireError) as caught:
        Questionnaire.from_document(value)  # type: ignore[arg-type]
    return caught.value.problems


def problems_after(edit: Edit) -> tuple[str, ...]:
    changed = document()
    edit(changed)
    return problems_of(changed)


def read(name: str) -> Document:
    return tomllib.loads((DEFAULTS / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.fixture(params=["library", "gp"])
def default(request: pytest.FixtureRequest) -> Questionnaire:
    return Questionnaire.from_document(read(request.param))


# The document and back


def test_a_document_gives_its_questionnaire() -> None:
    questionnaire = Questionnaire.from_document(document())

    assert (questionnaire.id, questionnaire.version) == ("pool", 2)
    assert questionnaire.languages == ("en", "cy")
    assert questionnaire.ask == (("welcome",), ("side", "comment"))
    welcome = questionnaire.item(1)
    assert welcome is questionnaire.by_name("welcome")
    assert welcome.text["cy"] == "Croeso?"
    assert [option.scored for option in welcome.options] == [True, True, False]
    assert welcome.option(16).name == "not_seen_yet"
    assert questionnaire.by_name("side").needs == "invitation"
    assert questionnaire.by_name("comment").notice["cy"] == ("Un.", "Dau.")


def test_a_questionnaire_gives_its_document_back() -> None:
    assert Questionnaire.from_document(document()).to_document() == document()


def test_defaults_are_left_out_of_the_document() -> None:
    spelt_out = document()
    spelt_out["items"][0]["options"][0]["scored"] = True

    assert Questionnaire.from_document(spelt_out).to_document() == document()


def test_the_document_survives_cbor_and_has_one_encoding() -> None:
    questionnaire = Questionnaire.from_document(document())
    shuffled = {key: document()[key] for key in reversed(document())}
    encoded = encode(questionnaire.to_document())
    again = decode(encoded)

    assert isinstance(again, dict)
    assert Questionnaire.from_document(again) == questionnaire
    assert encode(Questionnaire.from_document(shuffled).to_document()) == encoded


def test_texts_come_out_composed() -> None:
    decomposed = document()
    decomposed["title"]["cy"] = "Tŷ"

    assert Questionnaire.from_document(decomposed).title["cy"] == "Tŷ"


def test_what_is_not_there_is_a_key_error() -> None:
    questionnaire = Questionnaire.from_document(document())

    with pytest.raises(KeyError):
        questionnaire.item(3)
    with pytest.raises(KeyError):
        questionnaire.by_name("nothing")
    with pytest.raises(KeyError):
        questionnaire.item(1).option(3)


# What an item admits and offers


@pytest.mark.parametrize(
    ("value", "admitted"),
    [(1, True), (16, True), (3, False), (0, False), ("1", False), (True, False)],
)
def test_a_rating_admits_the_codes_of_its_options(value: int | str, admitted: bool) -> None:
    assert Questionnaire.from_document(document()).item(1).admits(value) is admitted


@pytest.mark.parametrize(
    ("value", "admitted"),
    [
        ("Diolch", True),
        ("One.\nTwo.", True),
        ("ŵ" * 20, True),
        ("ŵ" * 21, False),
        ("", False),
        (" \n\u00a0", False),
        ("nul\x00", False),
        ("bell\x07", False),
        ("lone \ud800", False),
        (1, False),
    ],
)
def test_a_text_admits_what_is_short_and_not_blank(value: int | str, admitted: bool) -> None:
    assert Questionnaire.from_document(document()).by_name("comment").admits(value) is admitted


def test_an_option_of_the_waiting_area_is_offered_only_there() -> None:
    item = Questionnaire.from_document(document()).item(1)

    assert [option.code for option in item.offered_options(Stands.WAITING)] == [1, 2, 16]
    assert [option.code for option in item.offered_options(Stands.EXIT)] == [1, 2]
    assert [option.code for option in item.offered_options(Stands.DESK)] == [1, 2]


# What is refused, and where the finger points


def put(*path: str | int, to: object) -> Edit:
    def edit(changed: Any) -> None:
        for step in path[:-1]:
            changed = changed[step]
        changed[path[-1]] = to

    return edit


def drop(*path: str | int) -> Edit:
    def edit(changed: Any) -> None:
        for step in path[:-1]:
            changed = changed[step]
        del changed[path[-1]]

    return edit


FIRST = ("items", 0, "options", 0)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            drop("items", 0, "options", 1, "text", "cy"),
            "items[0].options[1].text.cy: missing; every language in `languages` needs a text",
        ),
        (
            put(*FIRST, "text", "fr", to="Oui"),
            "items[0].options[0].text.fr: unknown key; allowed here: en, cy",
        ),
        (
            put("items", 1, "optoins", to=[]),
            "items[1].optoins: unknown key (did you mean options?); allowed here: code, name,",
        ),
        (put("items", 0, "kind", to="ratings"), "items[0].kind: ratings must be one of rating,"),
        (put("items", 0, "kind", to="ratings"), "(did you mean rating?)"),
        (put("items", 0, 3, to=1), "items[0]: has a key that is not text; allowed here: code"),
        (drop("id"), "id: missing"),
        (put("id", to="Pool"), "id: Pool must be small letters, digits and hyphens"),
        (put("id", to="pool\n"), "id: 'pool\\n' must be small letters"),
        (put("id", to="p" * 33), "at most 32 characters"),
        (put("version", to=0), "version: must be a whole number from 1 to"),
        (put("version", to=True), "version: must be a whole number"),
        (put("version", to=10**5000), "version: must be a whole number from 1 to"),
        (put("version", to=1.0), "version: must be a whole number"),
        (drop("title"), "title: missing; a table of en, cy"),
        (put("title", to="Swim"), "title: must be a table of en, cy"),
        (put("title", "en", to=1), "title.en: must be text"),
        (put("title", "en", to=" "), "title.en: is blank"),
        (put("title", "en", to="w" * 501), "title.en: has 501 characters, and at most 500"),
        (put("title", "en", to="\u0958" * 500), "title.en: has 1000 characters, and at most 500"),
        (put("title", "en", to="a\nb"), "title.en: holds the control character U+000A"),
        (put("title", "en", to="a\x85b"), "title.en: holds the control character U+0085"),
        (put("title", "en", to="a\u2028b"), "title.en: holds the control character U+2028"),
        (put("title", "en", to="a\ud800b"), "title.en: holds the control character U+D800"),
        (put("languages", to=[]), "languages: is empty"),
        (put("languages", to="en"), "languages: must be a list"),
        (put("languages", 1, to="en"), "languages[1]: en stands here twice"),
        (put("languages", 1, to="en-gb"), "languages[1]: en-gb must be a language tag"),
        (put("languages", 1, to=3), "languages[1]: must be a language tag"),
        (put("languages", to=["en"] * 25), "languages: has 25 entries, and at most 24"),
        (drop("items"), "items: missing"),
        (put("items", to=[]), "items: is empty"),
        (put("items", to=[{}] * 65), "items: has 65 entries, and at most 64"),
        (put("items", 0, to="welcome"), "items[0]: must be a table of code, name"),
        (put("items", 1, "code", to=1), "items[1].code: 1 is already that of items[0]"),
        (put("items", 1, "name", to="welcome"), "items[1].name: welcome is already that of"),
        (put("items", 0, "code", to=2**32), "items[0].code: must be a whole number from 1 to"),
        (put("items", 0, "name", to="wel-come"), "items[0].name: wel-come must be small letters"),
        (drop("items", 1, "source"), "items[1].source: missing; only an item that is"),
        (put("items", 1, "source", to=""), "items[1].source: is blank"),
        (put("items", 1, "provenance", to="exact"), "(did you mean Exact?)"),
        (put("items", 1, "needs", to="rain"), "items[1].needs: rain must be one of invitation"),
        (put("items", 0, "max_length", to=5), "items[0].max_length: only a text item has one"),
        (put("items", 0, "notice", to={}), "items[0].notice: only a text item has one"),
        (put("items", 2, "options", to=[]), "items[2].options: a text item has none"),
        (drop("items", 2, "max_length"), "items[2].max_length: missing"),
        (put("items", 2, "max_length", to=2001), "items[2].max_length: must be a whole number"),
        (drop("items", 2, "notice", "cy"), "items[2].notice.cy: missing; every language"),
        (put("items", 2, "notice", "cy", to=["Un."]), "items[2].notice: must have the same lines"),
        (put("items", 2, "notice", "cy", to=["Un."] * 9), "items[2].notice.cy: has 9 entries"),
        (drop("items", 0, "options"), "items[0].options: missing"),
        (put("items", 0, "options", to=[{}] * 13), "items[0].options: has 13 entries, and at most"),
        (drop(*FIRST), "items[0].options: has 1 scored options, and a rating needs at least 2"),
        (put(*FIRST, "scored", to=False), "items[0].options: has 1 scored options"),
        (put(*FIRST, "scored", to=1), "items[0].options[0].scored: must be true or false"),
        (put(*FIRST, "code", to=2), "items[0].options[1].code: 2 is already that of"),
        (put(*FIRST, "name", to="no"), "items[0].options[1].name: no is already that of"),
        (put(*FIRST, "only_where", to="waiting"), "options[0].only_where: only an option with"),
        (put("items", 0, "options", 2, "only_where", to="exit"), "must be one of waiting"),
        (put("ask", to=[]), "ask: is empty"),
        (put("ask", to=[["welcome"]] * 13), "ask: has 13 entries, and at most 12"),
        (put("ask", 0, to="welcome"), "ask[0]: must be a list"),
        (put("ask", 0, to=[]), "ask[0]: is empty"),
        (put("ask", 0, 0, to="welcom"), "ask[0][0]: no item has the name welcom (did you mean"),
        (put("ask", 1, 1, to="welcome"), "ask[1][1]: welcome is asked already at ask[0][0]"),
    ],
)
def test_each_problem_names_its_place(edit: Edit, problem: str) -> None:
    assert any(problem in found for found in problems_after(edit)), problems_after(edit)


def test_all_problems_are_named_at_once() -> None:
    def edit(changed: Document) -> None:
        changed["version"] = 0
        del changed["items"][0]["text"]["cy"]
        changed["ask"][1] = ["sied"]

    assert len(problems_after(edit)) == 3


def test_one_fault_is_not_named_twice() -> None:
    assert len(problems_after(put("items", 0, "text", to=[]))) == 1
    assert len(problems_after(put("languages", 1, to="cymraeg"))) == 1
    assert len(problems_after(put("items", to="none"))) == 1
    assert len(problems_after(put("items", 2, "kind", to="txt"))) == 1


def test_the_error_is_malformed_and_says_each_problem_on_a_line() -> None:
    with pytest.raises(MalformedError, match="id: missing\nversion: missing"):
        Questionnaire.from_document({})


@pytest.mark.parametrize("value", [None, [], "pool", 3, b"pool"])
def test_what_is_no_table_is_refused(value: object) -> None:
    (problem,) = problems_of(value)

    assert problem.startswith("the document: must be a table of id, version")


def test_a_flood_of_faults_is_named_in_few_words() -> None:
    flood: Document = {
        **{f"langauges{number}": number for number in range(100_000)},
        "x" * 1_000_000: 1,
        "title": "t" * 1_000_000,
        "languages": ["en"] * 100_000,
        "items": [{}] * 100_000,
        "ask": [["welcome"] * 100_000],
        "id": "i" * 1_000_000,
    }

    assert len("\n".join(problems_of(flood))) < 2000


def test_a_scale_has_at_most_eleven_scored_options() -> None:
    def options(scored: int, unscored: int) -> list[Document]:
        return [
            {
                "code": code,
                "name": f"o{code}",
                "text": {"en": "O", "cy": "O"},
                "scored": code <= scored,
            }
            for code in range(1, scored + unscored + 1)
        ]

    fits = document()
    fits["items"][0]["options"] = options(11, 1)
    Questionnaire.from_document(fits)

    (problem,) = problems_after(put("items", 0, "options", to=options(12, 0)))
    assert problem.startswith("items[0].options: has 12 scored options, and a rating at most 11")


def text_items(*lengths: int) -> Document:
    changed = document()
    changed["items"] = [
        {**changed["items"][2], "code": code, "name": f"t{code}", "max_length": length}
        for code, length in enumerate(lengths, start=1)
    ]
    return changed


def test_a_session_never_asks_for_more_text_than_a_record_holds() -> None:
    drawn = text_items(2000, 2000)
    drawn["ask"] = [["t1", "t2"]]
    Questionnaire.from_document(drawn)

    asked = text_items(2000, 2000)
    asked["ask"] = [["t1"], ["t2"]]
    (problem,) = problems_of(asked)
    assert problem.startswith("ask: one session could be given 4000 characters")


def test_the_longest_texts_and_the_most_items_fit_a_record() -> None:
    longest = text_items(2000, MAX_SESSION_TEXT - 2000)
    longest["ask"] = [["t1"], ["t2"]]
    Questionnaire.from_document(longest)
    items = tuple(range(2**32 - 64, 2**32))
    response = Response(
        assignment=2**32,
        moment=Moment(40_000),
        language="zgh-Tfng-MA",
        questionnaire=2**32,
        offered=items,
        answers={
            items[0]: "\U0001f600" * 2000,
            items[1]: "\U0001f600" * (MAX_SESSION_TEXT - 2000),
            **dict.fromkeys(items[2:], 2**32 - 1),
        },
    )

    assert decode_record(encode_record(response)) == response


# Versions


def successor(edit: Edit, version: int = 3) -> None:
    changed = document()
    changed["version"] = version
    edit(changed)
    check_successor(Questionnaire.from_document(document()), Questionnaire.from_document(changed))


def test_a_new_version_may_mend_words_and_add_and_retire() -> None:
    def edit(changed: Document) -> None:
        changed["items"][0]["text"]["en"] = "Did you feel welcome?"
        del changed["items"][1]
        changed["items"].append({**changed["items"][1], "code": 9, "name": "more"})
        changed["ask"] = [["welcome"], ["comment"], ["more"]]

    successor(edit)


def test_the_same_version_again_must_be_the_same_document() -> None:
    successor(lambda changed: None, version=2)
    with pytest.raises(QuestionnaireError, match="version: 2 is published and can't be changed"):
        successor(put("title", "en", to="Your swim!"), version=2)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (put("id", to="pools"), "id: pools can not follow pool"),
        (put("version", to=1), "version: 1 is lower than 2"),
        (put("items", 1, "kind", to="rating"), r"items\[1\].kind: was choice in version 2"),
        (put("items", 0, "code", to=7), r"items\[0\].name: welcome had the code 1 before"),
        (
            put("items", 1, "options", 1, "name", to="up"),
            r"items\[1\].options\[1\].code: 2 was right before; give up a code never used here",
        ),
        (
            put("items", 1, "options", 1, "code", to=3),
            r"items\[1\].options\[1\].name: right had the code 2 before",
        ),
    ],
)
def test_a_new_version_never_moves_a_meaning(edit: Edit, problem: str) -> None:
    with pytest.raises(QuestionnaireError, match=problem):
        successor(edit)


def test_a_code_keeps_its_item() -> None:
    def edit(changed: Document) -> None:
        changed["items"][1]["name"] = "edge"
        changed["ask"][1][0] = "edge"

    with pytest.raises(QuestionnaireError, match=r"items\[1\].code: 2 was side before"):
        successor(edit)


# Whatever arrives

json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=8)
    | st.sampled_from(["en", "cy", "rating", "text", "Exact", "waiting", "\ud800", "x" * 10_000]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


def accepted_or_named(value: Any) -> None:
    try:
        questionnaire = Questionnaire.from_document(value)
    except QuestionnaireError as error:
        problems = error.problems
    else:
        again = questionnaire.to_document()
        assert Questionnaire.from_document(again) == questionnaire
        assert decode(encode(again)) == again
        return
    assert problems
    assert all(problem.isprintable() for problem in problems)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(["id", "version", "title", "languages", "items", "ask"], json_like),
    )
    | json_like
)
def test_any_document_is_accepted_or_its_problems_named(value: Any) -> None:
    accepted_or_named(value)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        return []
    return [place for key, inner in entries for place in [(value, key), *places(inner)]]


@settings(deadline=None)
@given(st.data())
def test_a_document_changed_anywhere_is_accepted_or_its_problems_named(data: st.DataObject) -> None:
    changed = document()
    for _ in range(data.draw(st.integers(1, 3))):
        around = places(changed)
        if not around:
            break
        container, key = data.draw(st.sampled_from(around))
        if data.draw(st.booleans()):
            container[key] = data.draw(json_like)
        else:
            other, there = data.draw(st.sampled_from(around))
            container[key] = copy.deepcopy(other[there])
    accepted_or_named(changed)


# The defaults


def test_the_defaults_are_valid_and_say_nothing_twice(default: Questionnaire) -> None:
    assert default.to_document() == read(default.id)
    assert default.version == 1


def test_the_defaults_ask_three_screens(default: Questionnaire) -> None:
    assert default.ask == (
        ("dignity",),
        ("involvement",),
        ("joined_up", "involved", "willing"),
    )
    assert [item.name for item in default.items if item.needs] == ["willing"]


def test_the_defaults_speak_english_and_welsh(default: Questionnaire) -> None:
    assert default.languages == ("en", "cy")
    for item in default.items:
        for text in (item.text, *(option.text for option in item.options)):
            assert text["en"] != text["cy"]


def test_the_defaults_take_one_byte_a_code(default: Questionnaire) -> None:
    for item in default.items:
        assert 1 <= item.code <= 23
        assert all(1 <= option.code <= 23 for option in item.options)


def test_every_item_of_the_defaults_has_a_source(default: Questionnaire) -> None:
    assert all(item.source for item in default.items)


def test_every_rating_of_the_defaults_offers_not_seen_yet_in_a_waiting_area(
    default: Questionnaire,
) -> None:
    for item in default.items:
        names = [option.name for option in item.offered_options(Stands.WAITING)]
        assert ("not_seen_yet" in names) == (item.kind == "rating")
        assert "not_seen_yet" not in [option.name for option in item.offered_options(Stands.EXIT)]


def test_an_option_code_means_the_same_throughout_the_unscored(default: Questionnaire) -> None:
    meanings = {
        12: "prefer_not_to_say",
        13: "did_not_apply",
        14: "cannot_remember",
        15: "do_not_know",
        16: "not_seen_yet",
        17: "uses_only_one",
    }
    for item in default.items:
        for option in item.options:
            assert option.scored == (option.code < 12)
            assert option.name == meanings.get(option.code, option.name)


def test_the_two_defaults_number_alike_and_share_what_is_the_same() -> None:
    library, gp = (Questionnaire.from_document(read(name)) for name in ("library", "gp"))
    assert {item.code: item.name for item in library.items}.items() <= {
        item.code: item.name for item in gp.items
    }.items()
    for item in library.items:
        if item.name not in ("involvement", "joined_up"):
            assert item == gp.by_name(item.name)


def test_only_the_surgery_has_the_friends_and_family_test_and_it_is_off() -> None:
    library, gp = (Questionnaire.from_document(read(name)) for name in ("library", "gp"))
    names = {item.name for item in gp.items} - {item.name for item in library.items}
    assert names == {"fft", "fft_reason"}
    assert not names & {name for step in gp.ask for name in step}
    assert all(gp.by_name(name).provenance == "Exact" for name in names)
    assert len(gp.by_name("fft_reason").notice["en"]) == 4


@pytest.mark.parametrize(
    ("service", "name", "text", "options"),
    [
        (
            "library",
            "dignity",
            "Overall, did you feel you were treated with respect and dignity today?",
            "Yes, all of the time / Yes, some of the time / No / Prefer not to say",
        ),
        (
            "library",
            "involvement",
            "Did people here ask what you wanted, and act on it?",
            "Yes, definitely / Yes, to some extent / No, not at all / Didn't apply",
        ),
        (
            "gp",
            "involvement",
            "Were you involved as much as you wanted to be in decisions about your care and"
            " treatment?",
            "Yes, definitely / Yes, to some extent / No, not at all / Didn't apply"
            " / Can't remember",
        ),
        (
            "library",
            "joined_up",
            "When you use more than one public service, do they work well together for you?",
            "Yes, definitely / Yes, to some extent / No, not at all / I use only one",
        ),
        (
            "gp",
            "joined_up",
            "Did you feel the people helping you had all the information they needed about you?",
            "Yes, definitely / Yes, to some extent / No, not at all / Didn't apply",
        ),
        (
            "library",
            "involved",
            "How often do you feel involved in decisions about the public services you receive?",
            "Always / Often / Sometimes / Hardly ever / Never / Don't know",
        ),
        (
            "library",
            "willing",
            "Would you be willing to work with this service to help improve it?",
            "Yes / Maybe / No",
        ),
        (
            "gp",
            "fft",
            "Overall, how was your experience of our service?",
            "Very good / Good / Neither good nor poor / Poor / Very poor / Don't know",
        ),
    ],
)
def test_the_defaults_ask_the_words_agreed(
    service: str, name: str, text: str, options: str
) -> None:
    item = Questionnaire.from_document(read(service)).by_name(name)

    assert item.text["en"] == text
    assert " / ".join(option.text["en"] for option in item.offered_options(Stands.EXIT)) == options


# The page for the central team


def test_the_example_in_the_docs_is_a_questionnaire() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)

    questionnaire = Questionnaire.from_document(tomllib.loads(example))

    assert [item.kind for item in questionnaire.items] == ["rating", "text"]


def test_the_docs_give_each_default_item_its_code_and_provenance() -> None:
    row = re.compile(r"^\| (\d+) \| `(\w+)` \| ([\w-]+) \| ([\w-]+) \|", re.MULTILINE)
    told = row.findall(DOCS.read_text(encoding="utf-8"))

    for column, service in ((2, "library"), (3, "gp")):
        items = Questionnaire.from_document(read(service)).items
        assert [(int(line[0]), line[1], line[column]) for line in told if line[column] != "-"] == [
            (item.code, item.name, item.provenance) for item in items
        ]
