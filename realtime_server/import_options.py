"""What the user of ``realtime-server import`` says about files: options for one side or both, and mapping files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

import click
import orjson

from realtime_server.reconciliation.csv_columns import ColumnMapping
from realtime_server.reconciliation.import_files import FileKind
from realtime_server.reconciliation.importing import Source
from realtime_server.reconciliation.reading import ReadOptions

SOURCES: Final[tuple[Source, ...]] = ("ledger", "statement")
#: Which of a debit and a credit is money in: an account grows by debits in its owner's books, by credits in the bank's.
MONEY_IN: Final[Mapping[Source, Literal["debit", "credit"]]] = {"ledger": "debit", "statement": "credit"}
_MEANINGS: Final = tuple(item.name for item in fields(ColumnMapping) if item.name not in ("ignore", "rename"))
_MAX_MAPPING_FILE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sided:
    """An option's value, for one side or for both (``source`` None)."""

    source: Source | None
    value: str


def sided(value: str) -> Sided:
    """``ledger:Booked on`` is for the ledger, ``statement:…`` for the statement, anything else for both."""
    for source in SOURCES:
        if value.startswith(f"{source}:"):
            return Sided(source, value[len(source) + 1 :])
    return Sided(None, value)


def read_options(
    source: Source,
    *,
    mapping_file: Path | None,
    maps: Iterable[str],
    ignored: Iterable[str],
    renamed: Iterable[str],
    **options: Iterable[str],
) -> ReadOptions:
    """The options for one side. What is said on the command line goes before the mapping file's word."""
    mapping = _from_file(mapping_file, source) if mapping_file is not None else ColumnMapping()
    meanings = dict(_pair(text, "--map", "MEANING=COLUMN") for text in _for(source, maps))
    unknown = meanings.keys() - set(_MEANINGS)
    if unknown:
        raise click.BadParameter(f"{min(unknown)!r} is none of {', '.join(_MEANINGS)}", param_hint="--map")
    rename = dict(_pair(text, "--rename", "COLUMN=FIELD") for text in _for(source, renamed))
    ignore = tuple(_for(source, ignored))
    mapping = replace(mapping, **meanings, ignore=(*mapping.ignore, *ignore), rename={**mapping.rename, **rename})
    last: dict[str, Any] = {name: next(reversed(_for(source, values)), None) for name, values in options.items()}
    return ReadOptions(mapping=mapping, money_in=MONEY_IN[source], **last)


def read_kind(source: Source, kinds: Iterable[str]) -> FileKind | None:
    """The format that is said for one side; None: by what stands in the file."""
    said = _for(source, kinds)
    if not said:
        return None
    try:
        return FileKind(said[-1])
    except ValueError:
        raise click.BadParameter(f"{said[-1]!r} is none of {', '.join(FileKind)}", param_hint="--format") from None


def _for(source: Source, values: Iterable[str]) -> list[str]:
    """Values for this side; one for this side alone comes after those for both, and so is the last word."""
    found = [sided(value) for value in values]
    both = [item.value for item in found if item.source is None]
    return both + [item.value for item in found if item.source == source]


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{text!r} is not {form}", param_hint=option)
    return name.strip(), value.strip()


_CHECKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "ignore": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "rename": lambda value: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
}


def _from_file(path: Path, source: Source) -> ColumnMapping:
    """``{"ledger": {"date": "Booked on", "ignore": ["Page"], "rename": {"Ref.": "ref"}}, "statement": {…}}``."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_MAPPING_FILE + 1)
        found = orjson.loads(content[:_MAX_MAPPING_FILE])
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror or error}", param_hint="--mapping") from None
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"{path} is not JSON: {error}", param_hint="--mapping") from None
    if not isinstance(found, dict) or not found.keys() <= set(SOURCES):
        raise click.BadParameter(f"{path} has an object with 'ledger' and 'statement'", param_hint="--mapping")
    members = found.get(source, {})
    if not isinstance(members, dict):
        raise click.BadParameter(f"{path}: {source} is an object", param_hint="--mapping")
    for name, value in members.items():
        check = _CHECKS.get(name, lambda value: isinstance(value, str))
        if name not in (*_MEANINGS, *_CHECKS) or not check(value):
            raise click.BadParameter(f"{path}: {source} has no such {name!r}", param_hint="--mapping")
    return ColumnMapping(**{**members, "ignore": tuple(members.get("ignore", ()))})
