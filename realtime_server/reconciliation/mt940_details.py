"""What field 86 of an MT940 tells of an entry. SWIFT gives it six lines of text; what stands in them is each country's.

Three forms are known. German, Austrian and Polish banks number its parts: ``166?00CREDIT?20EREF+A-17?21SVWZ+Rent``
(Deutsche Kreditwirtschaft, DFÜ-Abkommen, annex 3, chapter 8.2), with SEPA's keys in the text. Dutch, Belgian and French
ones name them: ``/EREF/A-17/NAME/ADA/REMI/Rent``. Anything else is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

#: A numbered part that is full goes on in the next one; a shorter one was ended. Lines likewise.
_PART_WIDTH: Final = 27
_LINE_WIDTH: Final = 65
_NUMBERED: Final = re.compile(r"(?P<code>[0-9]{3})(?P<mark>[^\w\s/:+,.-])[0-9]{2}")
_NUMBERS: Final = "00|10|2[0-9]|3[0-9]|6[0-3]"
_SEPA: Final = re.compile(
    r"(?:^|(?<=\s))(ABWA|ABWE|ANAM|BIC|BREF|COAM|CRED|DDAT|DEBT|EREF|IBAN|KREF|MDAT|MREF|OAMT|ORCR|ORMR|PREF|PURP|RREF"
    r"|SQTP|SVWZ)\+ ?"
)
_NAMED: Final = re.compile(
    r"/(ACCW|ADDR|BENM|BIC|BREF|CHGS|CNTP|CREF|CSID|EREF|EXCH|IBAN|ID|INFO|ISDT|KREF|MARF|MREF|NAME|OAMT|OCMT|ORDP|PREF"
    r"|PURP|REMI|RTRN|RTYP|SVCL|TCOD|TRCD|TRTP|ULTB|ULTC|ULTD)/"
)
#: What Polish banks write into a part that says nothing: a part is never empty.
_FILLER: Final = "\u02d9"
_STRUCTURE: Final = re.compile(r"(?:USTD//|STRD/(?:CUR/|ISO/|/)?)")


@dataclass(frozen=True, slots=True)
class Details:
    """Texts, empty where the field does not tell. ``code``: the bank's or the country's, for the kind of business."""

    purpose: str = ""
    counterparty: str = ""
    counterparty_account: str = ""
    end_to_end_id: str = ""
    customer_reference: str = ""
    mandate_id: str = ""
    creditor_id: str = ""
    booking_text: str = ""
    code: str = ""


def read_details(text: str) -> Details:
    """The text of the field, lines divided by line feeds. Never fails: what has no known form is the purpose."""
    match = _NUMBERED.match(text)
    if match is not None:
        return _read_numbered(match["code"], match["mark"], text[3:])
    lines = text.split("\n")
    if _NAMED.match(text.lstrip()):
        return _read_named(_join(lines, _LINE_WIDTH))
    return _read_keys(lines, _LINE_WIDTH)


def _join(parts: list[str], width: int) -> str:
    """One text: the end of a full part may be in the middle of a word."""
    return "".join(part if len(part) >= width else f"{part} " for part in parts).strip()


def _read_numbered(code: str, mark: str, text: str) -> Details:
    by_number: dict[str, list[str]] = {}
    pieces = re.split(rf"{re.escape(mark)}({_NUMBERS})", text.replace("\n", ""))
    for number, part in zip(pieces[1::2], pieces[2::2], strict=True):
        if part.strip() != _FILLER:
            by_number.setdefault(number, []).append(part)

    def joined(*numbers: str) -> str:
        return _join([part for number in numbers for part in by_number.get(number, ())], _PART_WIDTH)

    purpose = [part for number in sorted(by_number) if number[0] in "26" for part in by_number[number]]
    found = _read_keys(purpose, _PART_WIDTH)
    return replace(
        found,
        counterparty=joined("32", "33") or found.counterparty,
        counterparty_account=joined("38") or joined("31") or found.counterparty_account,
        booking_text=joined("00"),
        code=code,
    )


def _read_keys(parts: list[str], width: int) -> Details:
    """Texts under SEPA's keys, and what stands before the first of them."""
    found: dict[str, str] = {}
    key = ""
    for part in parts:
        pieces = _SEPA.split(part)
        for position, piece in enumerate(pieces):
            if position % 2:
                key = piece
            else:
                is_cut = len(part) >= width and position == len(pieces) - 1
                found[key] = found.get(key, "") + (piece if is_cut or not piece else f"{piece} ")
    texts = {name: text.strip() for name, text in found.items()}
    get = texts.get
    return Details(
        purpose=" ".join(text for text in (get("", ""), get("SVWZ", "")) if text),
        counterparty=get("ANAM") or get("ABWA") or get("ABWE") or "",
        counterparty_account=get("IBAN", ""),
        end_to_end_id=get("EREF", ""),
        customer_reference=get("KREF") or get("PREF") or "",
        mandate_id=get("MREF", ""),
        creditor_id=get("CRED", ""),
    )


def _read_named(text: str) -> Details:
    pieces = _NAMED.split(text)
    texts: dict[str, str] = {}
    for name, value in zip(pieces[1::2], pieces[2::2], strict=True):
        # A slash may stand for a part of CNTP that is empty.
        texts.setdefault(name, value if name == "CNTP" else value.strip(" /"))
    get = texts.get
    account, _bank, name = [*(part.strip() for part in get("CNTP", "").split("/")), "", ""][:3]  # and a city
    return Details(
        purpose=_STRUCTURE.sub("", get("REMI", ""), count=1) or pieces[0].strip(),
        counterparty=get("NAME") or name,
        counterparty_account=get("IBAN") or account,
        end_to_end_id=get("EREF", ""),
        customer_reference=get("KREF") or get("PREF") or get("CREF") or "",
        mandate_id=get("MARF") or get("MREF") or "",
        creditor_id=get("CSID", ""),
        booking_text=get("TRTP", ""),
        code=get("TRCD") or get("RTYP") or "",
    )
