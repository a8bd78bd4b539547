"""Orders: the kiosks that are to be stamped, as the central team lists them."""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync_service.collector.error import OfficeError
from sync_service.contract.codec import Value
from sync_service.contract.error import MalformedError
from sync_service.contract.network import KEYS, MAX_AUTHORITY, SECRETS, Network

MAX_CALL: Final = 200
ROTATIONS: Final = (0, 90, 180, 270)

_NEEDED: Final = ("site", "name")
COLUMNS: Final = (*_NEEDED, "panel", "rotation", "call", *KEYS)
"""The columns that a list of kiosks may have."""

_FILES: Final = ("wifi_authority", "extra_authority")
"""The settings that name a file in PEM."""


@dataclass(frozen=True, slots=True)
class Order:
    """A kiosk to be stamped: its site's code and its name there.

    ``panel`` names its panel, if it is not the usual one, ``rotation`` says by how many degrees its
    picture is turned, ``call`` whom its staff call, for the sheet. ``where`` tells which line of a
    list it stands on.
    """

    site: str
    name: str
    panel: str | None = None
    rotation: int = 0
    call: str | None = None
    network: Network | None = None
    where: str = ""


def read_orders(path: Path) -> list[Order]:
    """Read a list of kiosks: a CSV file, its columns named after the settings.

    Raises:
        OfficeError: it can't be read, or lines are wrong; the message names them all, with their
            columns and what is allowed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # Excel begins with a mark
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise OfficeError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OfficeError(f"{path}: not in UTF-8: save it as “CSV UTF-8”") from None
    except csv.Error as error:
        raise OfficeError(f"{path}: not CSV: {error}") from None
    columns = [column.strip() for column in rows[0][1]] if rows else []
    _check_columns(path, columns)
    orders: list[Order] = []
    lines: dict[tuple[str, str], int] = {}
    faults: list[str] = []
    for line, cells in rows[1:]:
        try:
            if len(cells) != len(columns):
                raise OfficeError(f"has {len(cells)} cells, and there are {len(columns)} columns")
            values = _values(columns, cells)
            order = _order(values, path.parent, f"{path}, line {line}: ")
            before = lines.setdefault((order.site, order.name), line)
            if before != line:
                raise OfficeError(
                    f"name: {order.name} at {order.site} is on line {before} too: name another"
                )
            orders.append(order)
        except OfficeError as error:
            faults.append(f"{path}, line {line}: {error}")
    if not orders and not faults:
        faults.append(f"{path}: lists no kiosk")
    if faults:
        raise OfficeError("\n".join(faults))
    return orders


def read_network(path: Path) -> Network:
    """Read the network of one kiosk: a TOML file with the same keys as a list has columns.

    Raises:
        OfficeError: it can't be read, or a key is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OfficeError(f"{path}: can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OfficeError(f"{path}: not TOML: {error}") from None
    try:
        return _network(values, path.parent)
    except OfficeError as error:
        raise OfficeError(f"{path}: {error}") from None


def check_call(call: str) -> None:
    """See that whom to call can stand on a sheet.

    Raises:
        OfficeError: it can't.
    """
    if len(call) > MAX_CALL or not call.isprintable():
        raise OfficeError(f"call: must be at most {MAX_CALL} printable characters")


def _values(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """What is not empty; blanks around it don't count, unless they may be part of a secret."""
    values = {
        column: cell if column in SECRETS else cell.strip()
        for column, cell in zip(columns, cells, strict=True)
    }
    return {column: value for column, value in values.items() if value}


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    faults = [f"there is no column {column!r}" for column in columns if column not in COLUMNS]
    faults += [f"the column {column} is missing" for column in _NEEDED if column not in columns]
    faults += [
        f"the column {column} comes twice" for column in COLUMNS if columns.count(column) > 1
    ]
    if faults:
        raise OfficeError(
            f"{path}, line 1: {'; '.join(faults)}. The columns, with commas between, may be:"
            f" {', '.join(COLUMNS)}"
        )


def _order(values: Mapping[str, str], folder: Path, where: str) -> Order:
    for column in _NEEDED:
        if column not in values:
            raise OfficeError(f"{column}: must not be empty")
    call = values.get("call")
    if call is not None:
        check_call(call)
    network = {key: value for key, value in values.items() if key in KEYS}
    return Order(
        site=values["site"],
        name=values["name"],
        panel=values.get("panel"),
        rotation=_rotation(values.get("rotation", "0")),
        call=call,
        network=_network(network, folder) if network else None,
        where=where,
    )


def _rotation(text: str) -> int:
    if text not in map(str, ROTATIONS):
        raise OfficeError(f"rotation: must be one of {', '.join(map(str, ROTATIONS))}")
    return int(text)


def _network(values: Mapping[str, Value], folder: Path) -> Network:
    """A network; files that it names are looked for in a folder."""
    document = {**values}
    for key in _FILES:
        if isinstance(name := values.get(key), str):
            try:
                document[key] = (folder / name).read_bytes()[: MAX_AUTHORITY + 1].decode("ascii")
            except OSError as error:
                raise OfficeError(f"{key}: {name} can't be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise OfficeError(f"{key}: {name} is not in PEM") from None
    try:
        return Network.from_document(document)
    except MalformedError as error:
        raise OfficeError(str(error).removeprefix("network: ")) from None
