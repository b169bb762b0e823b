"""From the bytes of an XML file to the entries of its statements, one at a time; nothing of the rest is kept.

XML that a stranger sends can attack whoever parses it: entities that grow without end, entities that fetch files or
pages, nesting and names without end. All entities but the five that XML has by itself need a document type, so a
document type is refused where it begins, before anything in it is read; the parser is expat itself, which by itself
opens nothing. What it would hold is bounded here. (OWASP, "XML External Entity Prevention".)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn
from xml.parsers import expat

from realtime_server.core.limits import MAX_TEXT
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_source import refuse_file

#: Levels of elements: camt.053 has 16.
MAX_DEPTH: Final = 100
#: Bytes that expat may wait for the end of one tag or comment with; the standard's longest text has 2,000 characters.
MAX_TOKEN: Final = 1 << 20
#: Parts of one entry that are kept. A longer batch is one row without them.
MAX_PARTS: Final = 20_000
_CHUNK: Final = 1 << 16
#: Pieces of a text that are kept: more than any text may have, so that a longer one is refused as such.
_PIECES: Final = 3
#: The element around the statements; in version 01 its name had a suffix.
_STATEMENTS: Final = frozenset({"BkToCstmrStmt", "BkToCstmrStmtV01"})
_OTHERS: Final = {
    "BkToCstmrAcctRpt": "a report within the day (camt.052), whose entries may not be booked",
    "BkToCstmrDbtCdtNtfctn": "a notification (camt.054), whose entries are in the statement as well",
    "CstmrCdtTrfInitn": "an order of payments (pain.001)",
    "CstmrDrctDbtInitn": "an order of direct debits (pain.008)",
}


@dataclass(slots=True)
class Element:
    """A statement, an entry or a part of one: the texts at the paths that were asked for, ``Amt@Ccy`` for an amount's
    currency, and the line where it begins. ``is_cut``: it has more parts than are kept, and none of them is."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    parts: list[Element] = field(default_factory=list)
    is_cut: bool = False

    def get(self, path: str) -> str:
        return self.texts.get(path, "")


class _Node(dict[str, "_Node"]):
    """A place in the tree of what is read, with the places below it by name. ``path``: under which its text is kept.
    ``is_special``: more is to be done where it begins."""

    __slots__ = ("is_repeated", "is_special", "kind", "path")

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.path: str | None = None
        self.is_repeated = self.is_special = False
        self.kind = kind

    def at(self, path: str) -> _Node:
        node = self
        for name in path.split("/"):
            node = node.setdefault(name, _Node())
        return node

    def within(self, namespace: str) -> _Node:
        """The same tree with names as expat gives them."""
        copy = _Node(self.kind)
        copy.path, copy.is_special, copy.is_repeated = self.path, self.is_special, self.is_repeated
        prefix = f"{namespace} " if namespace else ""
        copy.update({prefix + name: child.within(namespace) for name, child in self.items()})
        return copy


class Tree:
    """What to read of a statement: paths below it (``account``), its entries, and their parts.

    ``repeated``: paths that may occur several times; their texts are joined by a space. Without paths for entries and
    parts it is an outline: how many there are.
    """

    def __init__(
        self, *, account: tuple[str, ...], entry: tuple[str, ...], details: tuple[str, ...], repeated: tuple[str, ...]
    ) -> None:
        self.root = _Node()
        self.is_outline = not entry and not details
        for kind, start, paths in (
            ("statement", "Stmt", account),
            ("entry", "Stmt/Ntry", entry),
            ("details", "Stmt/Ntry/NtryDtls/TxDtls", details),
        ):
            node = self.root.at(start)
            node.kind, node.is_special = kind, True
            for path in paths:
                node = self.root.at(f"{start}/{path}")
                node.path, node.is_repeated, node.is_special = path, path in repeated, path.endswith("Amt")


def read_statements(path: Path, tree: Tree) -> Iterator[tuple[Element, Element]]:
    """Every entry with its statement, in the order of the file.

    `CollaborationError` (`invalid`) where the file is broken, hostile, or no statement: perhaps after entries that were
    fine, so look through a file before you use it.
    """
    reader = _Reader(tree)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield from reader.feed(chunk)
    yield from reader.feed(b"", final=True)
    reader.check_end()


class _Reader:
    """Expat's handlers. Hot: `_start`, `_end` and `_characters` are called some 40 times for an entry; 100,000 entries
    take about 4 s. ``python -m loadtest.bench_import 100000 camt053`` shows it."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._is_outline = tree.root, tree.is_outline
        self._outside, self._skipped = _Node(), _Node()
        self._node = self._outside
        self._above: list[_Node] = []
        self._root = ""
        self._found = False
        self._text: list[str] = []
        self._statement = self._entry = self._target = Element(0)
        self._done: list[tuple[Element, Element]] = []
        self._fed = 0
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True  # texts come in pieces of 8 KiB, never smaller ones
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse_document_type
        # Never reached without a document type; here in case expat should ever think otherwise.
        parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = _refuse_document_type
        parser.ExternalEntityRefHandler = _refuse_document_type
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def feed(self, chunk: bytes, *, final: bool = False) -> list[tuple[Element, Element]]:
        """The entries that are complete now."""
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            refuse_file(f"the file is not well-formed XML: {reason} on line {error.lineno}", line=error.lineno)
        except (LookupError, ValueError):  # an encoding that Python does not know, or that is none for XML
            refuse_file("the file names an encoding for its XML that cannot be read")
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > MAX_TOKEN and not final:
            refuse_file(f"line {self._parser.CurrentLineNumber} has a tag or a comment that does not end")
        done, self._done = self._done, []
        return done

    def check_end(self) -> None:
        if not self._found:
            what = "a web page" if self._root.lower() == "html" else f"XML that begins with {shown(self._root)}"
            refuse_file(f"the file is {what}, not a bank statement (camt.053)")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        node = self._node
        self._above.append(node)
        child = node.get(name)
        if child is None:
            if node is not self._skipped or len(self._above) > MAX_DEPTH:
                self._node = self._stray(name)
            return
        self._node = child
        if child.is_special:
            if child.kind:
                self._begin(child.kind)
            elif "Ccy" in attributes:
                self._target.texts.setdefault(f"{child.path}@Ccy", attributes["Ccy"])

    def _stray(self, name: str) -> _Node:
        """Where an element leads that is not in the tree."""
        if len(self._above) > MAX_DEPTH:
            refuse_file(f"line {self._parser.CurrentLineNumber} is nested too deeply")
        if self._node is not self._outside:
            return self._skipped
        namespace, _, local = name.rpartition(" ")
        self._root = self._root or local
        if local in _OTHERS:
            refuse_file(f"the file is {_OTHERS[local]}, not a statement (camt.053)")
        if local not in _STATEMENTS:
            return self._outside
        self._found = True
        return self._tree.within(namespace)

    def _begin(self, kind: str) -> None:
        element = self._target = Element(self._parser.CurrentLineNumber)
        if kind == "statement":
            self._statement = element
            self._parser.CharacterDataHandler = self._characters
        elif kind == "entry":
            self._entry = element
            if self._is_outline:
                self._parser.CharacterDataHandler = None
        elif len(self._entry.parts) == MAX_PARTS:
            self._entry.is_cut = True
            self._entry.parts.clear()
        elif not self._entry.is_cut:
            self._entry.parts.append(element)

    def _end(self, name: str) -> None:
        node = self._node
        self._node = self._above.pop()
        path = node.path
        if path is not None:
            text = "".join(self._text).strip()
            self._text.clear()
            if text:
                self._keep(path, text, node.is_repeated)
        elif not node.kind:
            pass
        elif node.kind == "details":
            self._target = self._entry
        elif node.kind == "entry":
            self._target = self._statement
            self._done.append((self._statement, self._entry))

    def _keep(self, path: str, text: str, is_repeated: bool) -> None:
        texts = self._target.texts
        if path not in texts:
            texts[path] = text
        elif is_repeated and len(texts[path]) <= MAX_TEXT:  # one that is too long already is refused as it is
            texts[path] = f"{texts[path]} {text}"

    def _characters(self, text: str) -> None:
        if self._node.path is not None and len(self._text) < _PIECES:
            self._text.append(text)


def _refuse_document_type(*_: object) -> NoReturn:
    refuse_file("the file has a document type (DOCTYPE), which no bank statement has: it could be an attack")
