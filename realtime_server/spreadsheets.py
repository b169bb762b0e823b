"""The one rule for cells of every table that we write: no spreadsheet runs what somebody typed or a bank sent.

Imports keep a text as it came; it is made harmless where it goes out.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), the full-width forms among them.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
# A spreadsheet that divides cells at other places than we do begins one in the middle of a text: after a semicolon in
# most of Europe, after a tab, or on a new line. A quotation mark or a blank before the formula does not stop it.
_FORMULA_WITHIN: Final = re.compile(r'([;\t\r\n])(?=[" ]*[=+\-@＝＋－＠])')
_PLAIN_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def cell(value: Any) -> str:
    """A value as a spreadsheet may have it: never a formula, while -10.50 stays a number; lists and objects as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    text = _FORMULA_WITHIN.sub(r"\1'", text)
    return "'" + text if text.startswith(_FORMULA) else text
