"""``python -m loadtest.peers.database FOLDER``: a mongod for a peer; prints its address, ends with its input."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from realtime_server.storage.embedded import embedded_mongod


async def _main(folder: Path) -> None:
    async with embedded_mongod(folder) as address:
        print(json.dumps({"url": address.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
