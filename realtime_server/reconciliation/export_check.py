"""Whether a package is what was written: every file's hash, the chain of the log, and its head."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, Final

import orjson

from realtime_server.core.commits import GENESIS, ChainVerifier, Commit

_MANIFEST: Final = "manifest.json"
_SUMS: Final = "SHA256SUMS"
_LOG: Final = "audit.jsonl"
_BLOCK: Final = 1024 * 1024
#: Bytes of the two files that are read whole, and of one line of the log.
_MAX_READ: Final = 1024 * 1024
_MAX_LINE: Final = 64 * 1024 * 1024
_MEMBERS: Final = tuple(field.name for field in fields(Commit))


def problems_of(path: Path) -> list[str]:
    """What is wrong with a package, one sentence each; empty where it is as it was written. Constant memory.

    Somebody who computes all hashes anew is found out by the head alone: compare it with one that was kept elsewhere,
    or with what `audit verify` says of the session.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return list(_problems(archive))
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error) as error:
        return [f"this is no whole package: {error}"]


def manifest_of(path: Path) -> Mapping[str, Any]:
    """The manifest of a package without problems."""
    with zipfile.ZipFile(path) as archive:
        manifest: Mapping[str, Any] = orjson.loads(archive.read(_MANIFEST))
    return manifest


def _problems(archive: zipfile.ZipFile) -> Iterator[str]:
    names = archive.namelist()
    missing = [name for name in (_MANIFEST, _SUMS, _LOG) if name not in names]
    if missing or len(names) != len(set(names)):
        yield f"{missing[0]} is missing" if missing else "a file is there twice"
        return
    manifest, sums, seal = _described(archive)
    files: Mapping[str, Any] = manifest["files"]
    expected = {**{name: str(item["sha256"]) for name, item in files.items()}, _MANIFEST: seal}
    # To the byte: what `sha256sum` would overlook is a change all the same.
    if sums != "".join(f"{digest}  {name}\n" for name, digest in expected.items()).encode():
        yield f"{_SUMS} and {_MANIFEST} disagree: one of them was altered"
    for name in sorted(set(names) ^ {*expected, _SUMS}):
        yield f"{name} is missing" if name not in names else f"{name} was added"
    for name in sorted(set(names) & files.keys()):
        if _hash(archive, name, int(files[name]["bytes"])) != expected[name]:
            yield f"{name} was altered: its content does not give its hash"
    yield from _chain_problems(archive, manifest)


def _described(archive: zipfile.ZipFile) -> tuple[Mapping[str, Any], bytes, str]:
    """The manifest, the list of hashes, and the manifest's own hash."""
    for name in (_MANIFEST, _SUMS):
        if archive.getinfo(name).file_size > _MAX_READ:
            raise ValueError(f"{name} is too large")
    raw = archive.read(_MANIFEST)
    manifest = orjson.loads(raw)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ValueError(f"{_MANIFEST} is no manifest")
    return manifest, archive.read(_SUMS), hashlib.sha256(raw).hexdigest()


def _hash(archive: zipfile.ZipFile, name: str, limit: int) -> str:
    """Not more than was written is read: a small file can unpack into a very large one."""
    digest, left = hashlib.sha256(), limit + 1
    with archive.open(name) as file:
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _chain_problems(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Iterator[str]:
    verifier = ChainVerifier(str(manifest.get("session_id")))
    with archive.open(_LOG) as file:
        for commit in _commits(file):
            problem = verifier.check(commit)
            if problem is not None:
                yield f"the log is broken at {problem.seq}: {problem.problem}"
                return
    if (verifier.seq, verifier.head) != (manifest.get("as_of"), manifest.get("head")) or verifier.head == GENESIS:
        yield f"the log ends at commit {verifier.seq} with {verifier.head}, which is not what the manifest says"


def _commits(file: IO[bytes]) -> Iterator[Commit]:
    while line := file.readline(_MAX_LINE):
        entry = orjson.loads(line)
        if not isinstance(entry, dict):
            raise ValueError("a line of the log is no commit")
        members: list[Any] = [entry.get(name) for name in _MEMBERS]
        yield Commit(*members)
