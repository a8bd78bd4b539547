"""The command ``regard-collector``."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from sync_service.collector import commands, key_commands, kiosk_commands, proof_commands
from sync_service.collector.config import DATABASE
from sync_service.collector.error import CollectorError
from sync_service.collector.insight.writers import MAX_SHEET_ROWS, Format
from sync_service.collector.orders import COLUMNS, ROTATIONS
from sync_service.collector.rotation import SEALING, Rotated
from sync_service.contract.error import ContractError
from sync_service.contract.publication import Stands
from sync_service.settings import SettingsError

DESCRIPTION: Final = """\
The central side of Regard: takes in what kiosks send, opens it, publishes to kiosks, exports.
"""

EPILOGUE: Final = """\
To begin:

  regard-collector init /srv/regard --address https://collector.example:8443
  regard-collector serve --folder /srv/regard

Then, with --folder /srv/regard each time, or from within that folder:

  regard-collector organisation add council "Northvale Council" --kept-months 24 \\
      --contact en "the library manager" --contact cy "rheolwr y llyfrgell"
  regard-collector place add E07000999 "Northvale"
  regard-collector service add libraries "Libraries" --organisation council
  regard-collector site add central "Central Library" --service libraries --place E07000999 \\
      --languages en cy --stands exit --questionnaire library
  regard-collector stamp central desk-1 stamps/desk-1
  regard-collector inspect stamps/desk-1
  regard-collector kiosk list
  regard-collector account add Morwenna
  regard-collector export /tmp/regard-2026-03
  regard-collector verify

Each command explains itself: regard-collector site add --help
"""

_SPLIT: Final = "split the sealing key over three recovery sheets, of which any two give it back"

Run = Callable[[argparse.Namespace], Awaitable[str | int | None]]
Group = Any  # argparse gives its groups of subcommands no public type


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0 if it did what was asked, 2 if it can't be done; or as it says itself."""
    args = _parser().parse_args(argv)
    try:
        said = asyncio.run(args.run(args))
    except SQLAlchemyError as error:
        # Its first line says what is wrong; the rest is SQL.
        print(f"The database can't be used: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except (CollectorError, ContractError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    if isinstance(said, int):
        return said
    if said:
        print(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regard-collector",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"regard {version('regard')}")
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_running(group)
    _add_places(group)
    _add_kiosks(group)
    _add_publishing(group)
    _add_keys(group)
    _add_accounts(group)
    export = _command(
        group,
        "export",
        commands.export,
        "write all that is opened into a new folder, with a description",
        "Responses, verdicts and days, a row each, in a new folder, with a datapackage.json that"
        " says what they mean. Records whose half-day is not over are held back.",
    )
    export.add_argument(
        "--format",
        choices=[kind.value for kind in Format],
        default=Format.CSV.value,
        help="csv, unless another is named; xlsx is one Excel workbook, of at most"
        f" {MAX_SHEET_ROWS:,} rows a sheet",
    )
    export.add_argument(
        "into", type=Path, metavar="FOLDER", help="a folder that does not exist yet"
    )
    export.add_argument(
        "--include-current",
        action="store_true",
        help="export half-days that are not over too; only to try things out",
    )
    _add_tokens(group)
    _add_proof(group)
    _add_dropping(group)
    return parser


def _command(
    group: Group, name: str, run: Run, help_text: str, description: str | None = None
) -> argparse.ArgumentParser:
    """Add a command that works in a collector's folder."""
    command: argparse.ArgumentParser = group.add_parser(
        name, help=help_text, description=description or f"{help_text[0].upper()}{help_text[1:]}."
    )
    command.add_argument(
        "--folder",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="the collector's folder; without it, the one you are in",
    )
    command.set_defaults(run=run)
    return command


def _noun(group: Group, name: str, help_text: str) -> Group:
    """Add a noun, which has commands of its own."""
    noun = group.add_parser(
        name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}."
    )
    return noun.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _add_running(group: Group) -> None:
    init = group.add_parser(
        "init",
        help="make a new collector: settings, keys, certificates, database",
        description="Make a new collector in a new folder, all of it or nothing: settings, keys,"
        " a certificate authority for kiosks to trust, the database, and the first publications.",
    )
    init.set_defaults(run=commands.init)
    init.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    init.add_argument(
        "--address",
        required=True,
        metavar="URL",
        help="where kiosks find the collector, as in https://collector.example:8443",
    )
    init.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="one more host name or IP address that the certificate shall be for",
    )
    init.add_argument("--host", metavar="IP", help="where to listen; without it, everywhere")
    init.add_argument(
        "--port", type=int, metavar="PORT", help="where to listen; without it, the address's port"
    )
    init.add_argument(
        "--behind-proxy",
        action="store_true",
        help="a proxy on this machine ends TLS; listen in plain HTTP, on 127.0.0.1 port 8080",
    )
    init.add_argument(
        "--authority",
        type=Path,
        metavar="FILE",
        help="with --behind-proxy: the authority of the proxy's certificate, in PEM",
    )
    init.add_argument(
        "--database",
        default=DATABASE,
        metavar="URL",
        help="an empty PostgreSQL database, as in postgresql+asyncpg://regard@/regard; without it,"
        " a file in the folder",
    )
    init.add_argument(
        "--sealing",
        choices=list(SEALING),
        default="x25519",
        help="how kiosks shall seal: x25519, unless another is named; docs/keys.md says what"
        " mlkem768-x25519 costs",
    )
    init.add_argument("--split", action="store_true", help=_SPLIT)
    _command(
        group,
        "serve",
        commands.serve,
        "take in what kiosks send, until Ctrl-C",
        "Take in what kiosks send, and open it, until Ctrl-C or SIGTERM. The database is brought up"
        " to date first, and the server's certificate renewed in time.",
    )
    opening = _command(
        group,
        "open",
        commands.open_records,
        "open what was taken in; needs the sealing key",
        "Open what was taken in and waits. `serve` does this by itself, unless its settings say"
        ' opening = "none": then run this where the sealing key is, perhaps on another machine.',
    )
    opening.add_argument(
        "--follow", action="store_true", help="go on with what comes, until Ctrl-C"
    )
    opening.add_argument(
        "--again", action="store_true", help="try anew what could not be opened before"
    )
    # How `serve` runs its opener, so that it never outlives it.
    opening.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def _add_places(group: Group) -> None:
    organisation = _noun(group, "organisation", "who runs services")
    add = _command(organisation, "add", commands.organisation_add, "add an organisation")
    _add_code_and_name(add, "council")
    change = _command(
        organisation,
        "change",
        commands.organisation_change,
        "change an organisation's name, or what its kiosks tell of it",
        "Change an organisation's name, or what its kiosks tell respondents of their answers. What"
        " is not named stays as it is. Its kiosks hear of it at their next contact.",
    )
    change.add_argument("code", metavar="CODE", help="what it is known by for ever")
    change.add_argument("--name", metavar="NAME", help="what people call it from now on")
    for command in (add, change):
        command.add_argument(
            "--kept-months",
            type=int,
            metavar="N",
            help="for how many months answers are kept, and dropped then; 0: for ever, and kiosks"
            " don't say",
        )
        command.add_argument(
            "--contact",
            nargs=2,
            action="append",
            default=[],
            metavar=("TAG", "TEXT"),
            help="whom to ask about one's answers, once for each language, as in:"
            " --contact en 'the desk'; '': kiosks don't say",
        )
    _command(organisation, "list", commands.organisation_list, "list organisations")

    service = _noun(group, "service", "what is offered to citizens")
    add = _command(service, "add", commands.service_add, "add a service")
    _add_code_and_name(add, "libraries")
    add.add_argument("--organisation", required=True, metavar="CODE", help="who runs it")
    _command(service, "list", commands.service_list, "list services")

    place = _noun(group, "place", "districts")
    add = _command(place, "add", commands.place_add, "add a place")
    _add_code_and_name(add, "its GSS code")
    _command(place, "list", commands.place_list, "list places")

    site = _noun(group, "site", "where kiosks stand")
    add = _command(site, "add", commands.site_add, "add a site")
    _add_code_and_name(add, "central")
    add.add_argument("--service", required=True, metavar="CODE", help="the service it is of")
    add.add_argument("--place", required=True, metavar="CODE", help="the place it is in")
    add.add_argument(
        "--languages",
        required=True,
        nargs="+",
        metavar="TAG",
        help="the languages offered, in their order, as in: en cy",
    )
    add.add_argument(
        "--stands",
        required=True,
        choices=[stands.value for stands in Stands],
        help="where in the building its kiosks stand",
    )
    add.add_argument(
        "--questionnaire", required=True, metavar="ID", help="what is asked, as in: library"
    )
    add.add_argument(
        "--timezone",
        default="Europe/London",
        metavar="ZONE",
        help="its time zone; without it, Europe/London",
    )
    _command(site, "list", commands.site_list, "list sites")


def _add_code_and_name(add: argparse.ArgumentParser, example: str) -> None:
    add.add_argument("code", metavar="CODE", help=f"what it is known by for ever, as in: {example}")
    add.add_argument("name", metavar="NAME", help="what people call it")


def _add_kiosks(group: Group) -> None:
    _add_stamping(group)
    kiosk = _noun(group, "kiosk", "the fleet")
    _command(
        kiosk,
        "list",
        kiosk_commands.kiosk_list,
        "list kiosks, and how they are",
        "List kiosks, and the stamps that no kiosk has come with yet. A kiosk is silent after a day"
        " without a contact. Its version, its clock, what waits on it and what last went wrong are"
        " as it said at its last contact.",
    )
    approve = _command(
        kiosk,
        "approve",
        kiosk_commands.kiosk_approve,
        "enrol a kiosk that is held",
        "Enrol a kiosk that is held. Compare the fingerprint with the one that the kiosk's"
        " regard-agent prints.",
    )
    revoke = _command(
        kiosk,
        "revoke",
        kiosk_commands.kiosk_revoke,
        "end a kiosk's enrolment: it can deliver nothing more",
        "End a kiosk's enrolment: it can deliver nothing more. If it was stolen, or somebody had"
        " it in hand, say by --since from which day on it can't be trusted.",
    )
    revoke.add_argument(
        "--since",
        type=_day,
        metavar="DAY",
        help="what came on this day (UTC) or later is kept apart, counted and handed out nowhere,"
        " until you accept it; as in 2026-03-14",
    )
    reinstate = _command(
        kiosk,
        "reinstate",
        kiosk_commands.kiosk_reinstate,
        "undo a kiosk's revocation",
        "Let a revoked kiosk be what it was before, enrolled or held. What is kept apart of it"
        " stays so until you accept it.",
    )
    accept = _command(
        kiosk,
        "accept",
        kiosk_commands.kiosk_accept,
        "count the records that were kept apart since a kiosk went astray",
        "Let the records of a kiosk that were kept apart be opened and counted like any other."
        " To keep them apart again: kiosk revoke FINGERPRINT --since DAY.",
    )
    ask_again = _command(
        kiosk,
        "ask-again",
        kiosk_commands.kiosk_ask_again,
        "ask a kiosk once more for the records that were refused",
    )
    for command in (approve, revoke, reinstate, accept, ask_again):
        command.add_argument(
            "fingerprint", metavar="FINGERPRINT", help="as `regard-collector kiosk list` shows it"
        )
    move = _command(
        kiosk,
        "move",
        kiosk_commands.kiosk_move,
        "assign a kiosk to another site",
        "Assign a kiosk to another site. Records that it made before keep their site.",
    )
    _add_kiosk_of_site(move)
    move.add_argument("to", metavar="TO", help="the code of the site to assign it to")

    take = _command(
        group,
        "take",
        kiosk_commands.take,
        "take in what a stick has brought from kiosks without a network",
        "Take in what `regard-agent carry` has left on a stick, from any number of kiosks, and"
        " leave the replies on it: receipts, what was published, and how each kiosk stands. The"
        " exit status is 0 if all was taken, 1 if anything was refused. See docs/carrying.md.",
    )
    take.add_argument("stick", type=Path, metavar="STICK", help="the folder of the stick")
    take.set_defaults(say=print)
    recover = _command(
        group,
        "recover",
        kiosk_commands.recover,
        "deliver what the card of a dead kiosk still holds; needs the sealing key",
        "Deliver the records in a dead kiosk's store that were not delivered, as the kiosk would"
        " have. Its spare key, its identity and its -wal file must lie beside it, as they do on"
        " the card; none of them is written to. The exit status is 0 if all was taken, 1 if"
        " anything was refused. See docs/carrying.md.",
    )
    recover.add_argument(
        "store", type=Path, metavar="STORE", help="the store's file, as in /media/card/store.db"
    )
    recover.set_defaults(say=print)

    code = _noun(group, "code", "enrolment codes")
    withdraw = _command(
        code,
        "withdraw",
        kiosk_commands.code_withdraw,
        "let a stamp's enrolment code admit no kiosk",
    )
    _add_kiosk_of_site(withdraw)


def _add_stamping(group: Group) -> None:
    stamp = _command(
        group,
        "stamp",
        kiosk_commands.stamp,
        "make the stamp of a new kiosk, or of each one on a list",
        "Write what makes an image one site's kiosk, a file to drag onto its card's boot drive, and"
        " a sheet to print for whoever plugs it in. See docs/stamping.md.",
    )
    stamp.add_argument("site", nargs="?", metavar="SITE", help="the code of its site")
    stamp.add_argument(
        "name", nargs="?", metavar="NAME", help="tells the site's kiosks apart: desk-1"
    )
    stamp.add_argument("into", type=Path, metavar="FOLDER", help="a new or empty folder")
    stamp.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="stamp each kiosk of this list, in place of SITE and NAME: all of them, or none if a"
        f" line is wrong. Its columns may be: {', '.join(COLUMNS)}",
    )
    stamp.add_argument(
        "--panel",
        metavar="NAME",
        help="the kiosk's panel: inches-pixels, as in 7-800x480; by default 10.1-1280x800."
        " A name that is not known is answered with those that are",
    )
    stamp.add_argument(
        "--rotation",
        type=int,
        choices=ROTATIONS,
        help="by how many degrees its picture is turned, against the clock; name the panel as it"
        " hangs",
    )
    stamp.add_argument(
        "--call", metavar="TEXT", help="whom its staff call, for the sheet: 'Ana, 01234 567890'"
    )
    stamp.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help="the site's network as a TOML file, with the keys that a list has columns for, from"
        " link on",
    )
    stamp.add_argument(
        "--image", type=Path, metavar="FILE", help="put the stamp onto this Regard image as well"
    )
    inspect = group.add_parser(
        "inspect",
        help="say what a card, an image or a stamp holds",
        description="Say what a card's boot drive, an image or a stamp holds, without its secrets,"
        " and whether a kiosk would start from it. Needs no collector; one that is named says"
        " whether the enrolment code is good still. The exit status is 0 if all is well, 1 if"
        " something is wrong with one of them.",
    )
    inspect.set_defaults(run=kiosk_commands.inspect, say=print)
    inspect.add_argument(
        "path", type=Path, nargs="+", metavar="PATH", help="a file, or a folder, or a drive"
    )
    inspect.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="the collector's folder, to ask it as well"
    )
    inspect.add_argument("--json", action="store_true", help="a line of JSON for each")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-03-14") from None


def _add_kiosk_of_site(command: argparse.ArgumentParser) -> None:
    command.add_argument("site", metavar="SITE", help="the code of its site")
    command.add_argument("name", metavar="NAME", help="tells the site's kiosks apart: desk-1")


def _add_accounts(group: Group) -> None:
    account = _noun(group, "account", "who may sign in to the pages")
    add = _command(
        account,
        "add",
        commands.account_add,
        "add an account",
        "Add an account. The password is asked for, or read as one line of standard input. As long"
        " as there is no account, the pages are shown on this machine only.",
    )
    _command(account, "list", commands.account_list, "list accounts")
    remove = _command(
        account, "remove", commands.account_remove, "remove an account, and sign it out everywhere"
    )
    for command in (add, remove):
        command.add_argument("name", metavar="NAME", help="who signs in, as in: Morwenna")


def _add_tokens(group: Group) -> None:
    token = _noun(group, "token", "who may pull responses over HTTP")
    add = _command(
        token,
        "add",
        commands.token_add,
        "make a token to pull with",
        "Make a token for an analyst of the central team, who can then pull every response over"
        " HTTP: see docs/pull.md. It is shown once.",
    )
    add.add_argument("name", metavar="NAME", help="who or what will use it, as in: ana-laptop")
    _command(token, "list", commands.token_list, "list tokens, and the day each was last used")
    revoke = _command(token, "revoke", commands.token_revoke, "let a token open nothing more")
    revoke.add_argument("name", metavar="NAME", help="its name, as `token list` shows it")


def _add_publishing(group: Group) -> None:
    questionnaire = _noun(group, "questionnaire", "what is asked")
    check = questionnaire.add_parser(
        "check",
        help="see whether a questionnaire's file can be published",
        description="See whether a questionnaire's file can be published; every problem is named.",
    )
    check.set_defaults(run=commands.questionnaire_check)
    check.add_argument("file", type=Path, metavar="FILE", help="a questionnaire as a TOML file")

    replies = _noun(group, "replies", "what is said back")
    check = _command(
        replies,
        "check",
        commands.replies_check,
        "see whether a file of replies can be published, and what it would show",
        "See whether a file of replies can be published, and what its site's kiosks would show,"
        " numbers included; every problem is named. See docs/replies.md.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="replies as a TOML file")

    publish = _noun(group, "publish", "say something to kiosks, signed")
    questionnaire = _command(
        publish,
        "questionnaire",
        commands.publish_questionnaire,
        "publish a version of a questionnaire",
        "Publish a version of a questionnaire. From then on that version never changes.",
    )
    questionnaire.add_argument(
        "file", type=Path, metavar="FILE", help="a questionnaire as a TOML file"
    )
    replies = _command(
        publish,
        "replies",
        commands.publish_replies,
        "publish what a site's service replies",
        "Publish what a site's service replies, in place of all it replied before: what is owed,"
        " answers and invitations. See docs/replies.md.",
    )
    replies.add_argument("file", type=Path, metavar="FILE", help="replies as a TOML file")


def _add_keys(group: Group) -> None:
    keys = _noun(group, "keys", "the centre's keys: see docs/keys.md")
    rotate = _command(
        keys,
        "rotate",
        key_commands.rotate_key,
        "let a new key come into force in place of an old one",
        "Make a new key, and publish it to kiosks, which take it at their next contact; one that"
        " missed several catches up. The old key stays in the folder: keep it. See docs/keys.md.",
    )
    rotate.add_argument(
        "key",
        choices=[rotated.value for rotated in Rotated],
        help="sealing: what kiosks seal to; receipt: what the collector signs its replies with;"
        " publishing: what publications are signed with",
    )
    rotate.add_argument(
        "--sealing",
        choices=list(SEALING),
        help="how a new sealing key seals; without it, as the one in force does",
    )
    sheet = _command(
        keys,
        "sheet",
        key_commands.write_sheet,
        "write the recovery sheet of the sealing key in force, to be printed",
        "Write the sealing key in force as words, to be printed and kept in a safe: its file can be"
        " made again from them. They are read back and proven before the command ends.",
    )
    sheet.add_argument("into", type=Path, metavar="INTO", help="a new or empty folder")
    sheet.add_argument("--split", action="store_true", help=_SPLIT)
    recover = _command(
        keys,
        "recover",
        key_commands.recover_key,
        "make the file of a sealing key from its recovery sheets",
        "Make the file of a sealing key from its recovery sheet, or from two of the three if it was"
        " split, typed into files. Where the key is here already, this proves the paper.",
    )
    recover.add_argument("sheet", type=Path, nargs="+", metavar="SHEET", help="a sheet as a file")


def _add_proof(group: Group) -> None:
    verify = _command(
        group,
        "verify",
        proof_commands.verify,
        "see that nothing is missing from any log, and nothing altered",
        "Recompute the chain of every log from what is stored, and compare it with what kiosks"
        " signed; or with a statement that was made before. docs/proof.md says how to read what it"
        " says. The exit status is 0 if all is whole, 1 if something is missing or wrong.",
    )
    verify.add_argument("site", nargs="?", metavar="SITE", help="only the logs of this site")
    verify.add_argument("name", nargs="?", metavar="NAME", help="only those of this kiosk there")
    verify.add_argument(
        "--json", action="store_true", help="a line of JSON for each finding, and one that sums up"
    )
    verify.add_argument(
        "--ask-again",
        action="store_true",
        help="let kiosks be asked for what is missing, as far as they still have it",
    )
    verify.add_argument(
        "--statement",
        type=Path,
        metavar="FILE",
        help="see that all which this statement tells of is still there as it was",
    )
    verify.add_argument(
        "--key",
        metavar="HEX",
        help="the public key that the statement must be signed by; without it, any receipt key"
        " that was published here",
    )
    verify.set_defaults(say=print)
    statement = _command(
        group,
        "statement",
        proof_commands.statement,
        "state what is held of every log at the end of a month, signed",
        "State what is held of every log at the end of a month, in UTC, signed with the receipt"
        " key, so that whoever keeps the statement can have it compared later.",
    )
    statement.add_argument("month", metavar="MONTH", help="a month that is over, as in: 2026-10")
    statement.add_argument(
        "into", nargs="?", type=Path, metavar="FILE", help="a new file; without it, it is printed"
    )


def _add_dropping(group: Group) -> None:
    _command(
        group,
        "retention",
        proof_commands.retention,
        "say for how long things are kept, and what is dropped",
        "Say for how long answers and sealed records are kept, and before which day they are"
        " dropped. `serve` does it, once a day. How long answers are kept is said by"
        " `organisation change --kept-months`, sealed records by sealed_months in collector.toml.",
    )
    redact = _command(
        group,
        "redact",
        proof_commands.redact,
        "drop one record for ever, such as one that names a person",
        "Drop a record's sealed bytes for ever, and all that was opened of it. That it was there,"
        " its digest, the day and your reason are kept, signed, so that it shows as redacted and"
        " not as missing. docs/proof.md says what that does not reach.",
    )
    redact.add_argument(
        "id", nargs="?", metavar="ID", help="its response_id, verdict_id or day_id in an export"
    )
    redact.add_argument("--log", metavar="HEX", help="or: its log, by the beginning of its id")
    redact.add_argument("--seq", type=int, metavar="N", help="and its number there")
    redact.add_argument(
        "--branch", type=int, default=0, metavar="N", help="on a branch of that log; without it, 0"
    )
    redact.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help="why, for whoever asks later; it is kept, so put nothing into it that shall be gone",
    )
    redact.add_argument("--yes", action="store_true", help="do it; without it, only say what")


if __name__ == "__main__":
    sys.exit(main())
