"""Questionnaires: what is asked, in which languages, and which answers each item admits.

A questionnaire is written as a document: tables, lists, text, whole numbers, true and false, in
one shape whether it was read from TOML or decoded from a publication. `Questionnaire.from_document`
is the only door, and everything that comes through it is bounded. How one is written stands in
docs/questionnaires.md.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypeVar, get_args

from sync_service.contract.codec import Value
from sync_service.contract.error import MalformedError
from sync_service.contract.record import MAX_CODE, MAX_ITEMS, MAX_TEXT

ItemKind = Literal["rating", "choice", "text"]
"""A rating's options are ordered, best first; a choice's are not; a text is in one's own words."""

Provenance = Literal["Exact", "Adapted", "Reconstructed", "New"]
"""How an item's wording stands to its source."""

Need = Literal["invitation"]
"""What must be published before an item is asked."""

MAX_VERSION: Final = 2**32 - 1
MAX_LANGUAGES: Final = 24
MAX_STEPS: Final = 12
MAX_WORDING: Final = 500
"""Characters in a title, an item, an option, a line of a notice or a source."""

MAX_OPTIONS: Final = 12
"""Four rows of three: more buttons of 20 mm don't fit under a question on a ten-inch screen."""

MAX_SCORED: Final = 11
"""The longest scale in use, from 0 to 10."""

MAX_NOTICE_LINES: Final = 8

MAX_SESSION_TEXT: Final = 3500
"""Characters of text that one session can ask for: at 4 bytes each, any response still fits the
largest bucket of a record."""

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Unicode's controls, its line and paragraph separators, and lone surrogates."""

_MAX_UNKNOWN_KEYS: Final = 8
_SHOWN: Final = 40

T = TypeVar("T", bound=int | str | bool | list[object])
U = TypeVar("U")


class QuestionnaireError(MalformedError):
    """A document breaks the rules, or a version may not follow the one before it.

    Show ``problems`` to whoever wrote the document: each names its place and what to do.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


@dataclass(frozen=True, slots=True)
class Option:
    """One button under an item.

    ``code`` is what a record holds; within its item it never changes its meaning. ``name`` stands
    for it in exports; ``text`` is the button's, by language. An option that is not ``scored``
    ("Prefer not to say", "Didn't apply") stays outside the measure's denominator, and is yet an
    answer, not a skip. ``only_where`` limits it to kiosks that stand there.
    """

    code: int
    name: str
    text: Mapping[str, str]
    scored: bool = True
    only_where: Literal["waiting"] | None = None

    def to_document(self) -> dict[str, Value]:
        """The option's table in the document, defaults left out."""
        document: dict[str, Value] = {"code": self.code, "name": self.name, "text": {**self.text}}
        if not self.scored:
            document["scored"] = False
        if self.only_where is not None:
            document["only_where"] = self.only_where
        return document


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    ``code`` is what a record holds; within its questionnaire's id it never changes its meaning.
    ``name`` is its column in exports; ``text`` the question, by language. ``provenance`` and
    ``source`` say where the wording comes from. ``needs`` names what must be published before it
    is asked. A rating or a choice has ``options``; a text has ``max_length``, in characters, and
    may have a ``notice``, lines shown with it, by language.
    """

    code: int
    name: str
    kind: ItemKind
    text: Mapping[str, str]
    provenance: Provenance
    source: str = ""
    options: tuple[Option, ...] = ()
    needs: Need | None = None
    max_length: int = 0
    notice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def admits(self, value: int | str) -> bool:
        """Whether a value can be an answer: an option's code, or a text that is not too long.

        A text may not be blank, nor hold control characters other than line breaks.
        """
        if self.kind == "text":
            return (
                isinstance(value, str)
                and len(value) <= self.max_length
                and value.strip() != ""
                and not _CONTROL.search(value.replace("\n", ""))
            )
        return type(value) is int and value in [option.code for option in self.options]

    def offered_options(self, stands: str) -> tuple[Option, ...]:
        """The options offered, in order, where a kiosk ``stands`` as its assignment says."""
        return tuple(option for option in self.options if option.only_where in (None, stands))

    def option(self, code: int) -> Option:
        """The option of this code.

        Raises:
            KeyError: the item has no such option.
        """
        for option in self.options:
            if option.code == code:
                return option
        raise KeyError(code)

    def to_document(self) -> dict[str, Value]:
        """The item's table in the document, defaults left out."""
        document: dict[str, Value] = {
            "code": self.code,
            "name": self.name,
            "kind": self.kind,
            "text": {**self.text},
            "provenance": self.provenance,
        }
        if self.source:
            document["source"] = self.source
        if self.options:
            document["options"] = [option.to_document() for option in self.options]
        if self.needs is not None:
            document["needs"] = self.needs
        if self.max_length:
            document["max_length"] = self.max_length
        if self.notice:
            document["notice"] = {language: [*lines] for language, lines in self.notice.items()}
        return document


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """What is asked: immutable once it is published under its ``id`` and ``version``.

    ``title`` is by language; every text is there in all ``languages`` (BCP 47 tags). ``ask`` are
    the steps of a session, each the names of the items of which one is drawn at random. An item
    that stands in no step is off: published, and not asked.
    """

    id: str
    version: int
    title: Mapping[str, str]
    languages: tuple[str, ...]
    items: tuple[Item, ...]
    ask: tuple[tuple[str, ...], ...]

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """The questionnaire that a document describes; its texts come out in Unicode's NFC.

        Raises:
            QuestionnaireError: the document breaks the rules; it names every problem found.
        """
        problems: list[str] = []
        root = _Node(document, "", problems).table(
            "id", "version", "title", "languages", "items", "ask"
        )
        languages = _read_languages(root["languages"])
        items = _read_items(root["items"], languages)
        questionnaire = cls(
            id=root["id"].slug(_ID, "small letters, digits and hyphens, as in gp-north"),
            version=root["version"].integer(1, MAX_VERSION),
            title=root["title"].translated(languages, _Node.wording),
            languages=languages,
            items=items,
            ask=_read_ask(root["ask"], items),
        )
        if problems:
            raise QuestionnaireError(problems)
        return questionnaire

    def to_document(self) -> dict[str, Value]:
        """The one document of this questionnaire, defaults left out."""
        return {
            "id": self.id,
            "version": self.version,
            "title": {**self.title},
            "languages": [*self.languages],
            "ask": [[*step] for step in self.ask],
            "items": [item.to_document() for item in self.items],
        }

    def item(self, code: int) -> Item:
        """The item of this code.

        Raises:
            KeyError: the questionnaire has no such item.
        """
        for item in self.items:
            if item.code == code:
                return item
        raise KeyError(code)

    def by_name(self, name: str) -> Item:
        """The item of this name.

        Raises:
            KeyError: the questionnaire has no such item.
        """
        for item in self.items:
            if item.name == name:
                return item
        raise KeyError(name)


def check_successor(old: Questionnaire, new: Questionnaire) -> None:
    """See that a version may be published after an older one of the same id.

    Codes and names stay together for ever, and an item keeps its kind, so that records and exports
    of all versions can be read side by side. Check against every version published before: one
    that dropped an item no longer holds its code.

    Raises:
        QuestionnaireError: it may not; the problems say what to change.
    """
    if new.id != old.id:
        raise QuestionnaireError([f"id: {new.id} can not follow {old.id}; ids must be the same"])
    if new.version < old.version:
        raise QuestionnaireError([f"version: {new.version} is lower than {old.version}"])
    if new.version == old.version:
        if new != old:
            raise QuestionnaireError(
                [f"version: {old.version} is published and can't be changed; give a higher version"]
            )
        return
    problems = _moved("items", old.items, new.items)
    was = {item.code: item for item in old.items}
    for row, item in enumerate(new.items):
        before = was.get(item.code)
        if before is None:
            continue
        place = f"items[{row}]"
        if item.kind != before.kind:
            problems.append(
                f"{place}.kind: was {before.kind} in version {old.version} and must stay so;"
                " give the changed item a new code and name"
            )
        problems += _moved(f"{place}.options", before.options, item.options)
    if problems:
        raise QuestionnaireError(problems)


def _moved(place: str, old: Sequence[Item | Option], new: Sequence[Item | Option]) -> list[str]:
    """The codes that changed their name, and the names that changed their code."""
    names = {entry.code: entry.name for entry in old}
    codes = {entry.name: entry.code for entry in old}
    problems = []
    for row, entry in enumerate(new):
        name = names.get(entry.code, entry.name)
        if name != entry.name:
            problems.append(
                f"{place}[{row}].code: {entry.code} was {name} before;"
                f" give {entry.name} a code never used here"
            )
        code = codes.get(entry.name, entry.code)
        if code != entry.code:
            problems.append(
                f"{place}[{row}].name: {entry.name} had the code {code} before;"
                " keep that code or give another name"
            )
    return problems


_MISSING: Final = object()
_UNREADABLE: Final = object()  # what would stand in a table that is none; reported at the table


@dataclass(frozen=True, slots=True)
class _Node:
    """A value in a document, its place, and the list that its problems are noted in.

    A reader that finds a problem notes it and gives something empty, so that the rest is read
    too; what was read is thrown away at the end if there is any problem.
    """

    value: object
    place: str
    problems: list[str]

    @property
    def given(self) -> bool:
        return self.value is not _MISSING and self.value is not _UNREADABLE

    def problem(self, what: str) -> None:
        self.problems.append(f"{self.place or 'the document'}: {what}")

    def child(self, key: str, value: object = _MISSING) -> "_Node":
        return _Node(value, f"{self.place}.{key}" if self.place else key, self.problems)

    def refuse(self, why: str) -> None:
        if self.given:
            self.problem(why)

    def typed(self, kind: type[T], called: str) -> T | None:
        value = self.value
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        if value is _MISSING:
            self.problem("missing")
        elif value is not _UNREADABLE:
            self.problem(f"must be {called}")
        return None

    def table(self, *keys: str) -> dict[str, "_Node"]:
        value = self.value
        if not isinstance(value, Mapping):
            if value is _MISSING:
                self.problem(f"missing; a table of {', '.join(keys)}")
            elif value is not _UNREADABLE:
                self.problem(f"must be a table of {', '.join(keys)}")
            return {key: self.child(key, _UNREADABLE) for key in keys}
        unknown = [key for key in value if key not in keys]
        allowed = f"allowed here: {', '.join(keys)}"
        if len(unknown) > _MAX_UNKNOWN_KEYS:
            self.problem(f"has {len(unknown)} unknown keys; {allowed}")
            unknown = []
        for key in unknown:
            if isinstance(key, str):
                self.child(_shown(key)).problem(f"unknown key{_suggestion(key, keys)}; {allowed}")
            else:
                self.problem(f"has a key that is not text; {allowed}")
        return {key: self.child(key, value.get(key, _MISSING)) for key in keys}

    def rows(self, most: int, why: str = "") -> list["_Node"]:
        values = self.typed(list, "a list")
        if values is None:
            return []
        if not values:
            self.problem("is empty")
        if len(values) > most:
            self.problem(f"has {len(values)} entries, and at most {most} are allowed{why}")
            return []
        return [
            _Node(value, f"{self.place}[{row}]", self.problems) for row, value in enumerate(values)
        ]

    def integer(self, low: int, high: int) -> int:
        value = self.typed(int, "a whole number")
        if value is None or low <= value <= high:
            return value or 0
        self.problem(f"must be a whole number from {low} to {high}")
        return 0

    def flag(self, default: bool) -> bool:
        if not self.given:
            return default
        return bool(self.typed(bool, "true or false"))

    def slug(self, pattern: re.Pattern[str], called: str) -> str:
        value = self.typed(str, "text")
        if value is None or pattern.fullmatch(value):
            return value or ""
        self.problem(f"{_shown(value)} must be {called}; a letter first, at most 32 characters")
        return ""

    def name(self) -> str:
        return self.slug(_NAME, "small letters, digits and underscores, as in joined_up")

    def one_of(self, alternatives: tuple[Any, ...]) -> Any:
        """One of a Literal's values, or None where there is none."""
        called = f"one of {', '.join(alternatives)}"
        value = self.typed(str, called)
        if value is None or value in alternatives:
            return value
        self.problem(f"{_shown(value)} must be {called}{_suggestion(value, alternatives)}")
        return None

    def wording(self) -> str:
        value = self.typed(str, "text")
        if value is None:
            return ""
        if len(value) <= MAX_WORDING:
            value = unicodedata.normalize("NFC", value)
        if len(value) > MAX_WORDING:
            self.problem(f"has {len(value)} characters, and at most {MAX_WORDING} are allowed")
        elif not value.strip():
            self.problem("is blank")
        elif control := _CONTROL.search(value):
            self.problem(f"holds the control character U+{ord(control[0]):04X}; take it out")
        return value

    def lines(self) -> tuple[str, ...]:
        return tuple(row.wording() for row in self.rows(MAX_NOTICE_LINES))

    def translated(self, languages: tuple[str, ...], read: Callable[["_Node"], U]) -> dict[str, U]:
        if not languages:  # without them nothing can be said of the translations
            return {}
        translations = {}
        for language, node in self.table(*languages).items():
            if node.value is _MISSING:
                node.problem("missing; every language in `languages` needs a text")
            else:
                translations[language] = read(node)
        return translations


def _read_languages(node: _Node) -> tuple[str, ...]:
    languages: list[str] = []
    rows = node.rows(MAX_LANGUAGES)
    for row in rows:
        tag = row.typed(str, "a language tag, as in en or cy")
        if tag is None:
            continue
        if not _TAG.fullmatch(tag):
            row.problem(f"{_shown(tag)} must be a language tag, as in en, cy, pa-Arab or pt-BR")
        elif tag in languages:
            row.problem(f"{tag} stands here twice")
        else:
            languages.append(tag)
    return tuple(languages) if len(languages) == len(rows) else ()


def _read_items(node: _Node, languages: tuple[str, ...]) -> tuple[Item, ...]:
    rows = node.rows(MAX_ITEMS)
    items = tuple(_read_item(row, languages) for row in rows)
    _refuse_repeats(rows, "code", [item.code for item in items])
    _refuse_repeats(rows, "name", [item.name for item in items])
    return items


def _read_item(node: _Node, languages: tuple[str, ...]) -> Item:
    table = node.table(
        "code",
        "name",
        "kind",
        "text",
        "provenance",
        "source",
        "options",
        "needs",
        "max_length",
        "notice",
    )
    kind = table["kind"].one_of(get_args(ItemKind))
    options: tuple[Option, ...] = ()
    max_length = 0
    notice: dict[str, tuple[str, ...]] = {}
    if kind == "text":
        table["options"].refuse("a text item has none")
        max_length = table["max_length"].integer(1, MAX_TEXT)
        if table["notice"].given:
            notice = table["notice"].translated(languages, _Node.lines)
            if len({len(lines) for lines in notice.values()}) > 1:
                table["notice"].problem("must have the same lines in every language")
    elif kind is not None:
        table["max_length"].refuse("only a text item has one")
        table["notice"].refuse("only a text item has one")
        options = _read_options(table["options"], languages, kind)
    provenance = table["provenance"].one_of(get_args(Provenance))
    source = ""
    if table["source"].given:
        source = table["source"].wording()
    elif provenance in ("Exact", "Adapted", "Reconstructed"):
        table["source"].problem('missing; only an item that is "New" may leave it out')
    return Item(
        code=table["code"].integer(1, MAX_CODE),
        name=table["name"].name(),
        kind=kind,
        text=table["text"].translated(languages, _Node.wording),
        provenance=provenance,
        source=source,
        options=options,
        needs=table["needs"].one_of(get_args(Need)) if table["needs"].given else None,
        max_length=max_length,
        notice=notice,
    )


def _read_options(node: _Node, languages: tuple[str, ...], kind: ItemKind) -> tuple[Option, ...]:
    rows = node.rows(MAX_OPTIONS, ": more buttons that a finger can hit don't fit on the screen")
    options = tuple(_read_option(row, languages) for row in rows)
    _refuse_repeats(rows, "code", [option.code for option in options])
    _refuse_repeats(rows, "name", [option.name for option in options])
    scored = sum(option.scored for option in options)
    if rows and scored < 2:
        node.problem(f"has {scored} scored options, and a {kind} needs at least 2")
    if kind == "rating" and scored > MAX_SCORED:
        node.problem(f"has {scored} scored options, and a rating at most {MAX_SCORED}")
    return options


def _read_option(node: _Node, languages: tuple[str, ...]) -> Option:
    table = node.table("code", "name", "text", "scored", "only_where")
    scored = table["scored"].flag(default=True)
    only_where: Literal["waiting"] | None = None
    if table["only_where"].given:
        only_where = table["only_where"].one_of(("waiting",))
        if scored:
            # A measure must not depend on where its kiosk stands.
            table["only_where"].problem("only an option with scored = false can have it")
    return Option(
        code=table["code"].integer(1, MAX_CODE),
        name=table["name"].name(),
        text=table["text"].translated(languages, _Node.wording),
        scored=scored,
        only_where=only_where,
    )


def _read_ask(node: _Node, items: tuple[Item, ...]) -> tuple[tuple[str, ...], ...]:
    lengths = {item.name: item.max_length for item in items}
    asked: dict[str, str] = {}
    steps: list[tuple[str, ...]] = []
    for row in node.rows(MAX_STEPS):
        step: list[str] = []
        for entry in row.rows(MAX_ITEMS):
            name = entry.name()
            if not name:
                continue
            if lengths and name not in lengths:
                entry.problem(f"no item has the name {name}{_suggestion(name, tuple(lengths))}")
            elif name in asked:
                entry.problem(f"{name} is asked already at {asked[name]}")
            asked.setdefault(name, entry.place)
            step.append(name)
        steps.append(tuple(step))
    text = sum(max((lengths.get(name, 0) for name in step), default=0) for step in steps)
    if text > MAX_SESSION_TEXT:
        node.problem(
            f"one session could be given {text} characters of text, and a record holds at most"
            f" {MAX_SESSION_TEXT}; lower max_length or ask fewer text items"
        )
    return tuple(steps)


def _refuse_repeats(rows: Sequence[_Node], key: str, values: Sequence[int | str]) -> None:
    first: dict[int | str, str] = {}
    for row, value in zip(rows, values, strict=True):
        if value and value in first:
            row.child(key).problem(f"{value} is already that of {first[value]}")
        first.setdefault(value, row.place)


def _shown(text: str) -> str:
    if len(text) <= _SHOWN and re.fullmatch(r"[\w.-]+", text):
        return text
    return repr(text[:_SHOWN])


def _suggestion(text: str, alternatives: Sequence[str]) -> str:
    close = get_close_matches(text[:_SHOWN].lower(), [*alternatives], n=1)
    return f" (did you mean {close[0]}?)" if close else ""
