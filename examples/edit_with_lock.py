"""Joins a session, holds a record's lock, sets its notes, and shows what happened meanwhile.

python examples/edit_with_lock.py http://127.0.0.1:8080 SESSION RECORD --token "$(realtime-server token …)"
"""

from __future__ import annotations

import argparse
import asyncio

from realtime_server.client import CollaborationError, Envelope, connect


async def main(url: str, session_id: str, record_id: str, token: str, text: str) -> None:
    async with connect(url, token) as client, client.join(session_id) as session:
        print(f"joined as {session.role}; {len(session.state['members'])} here, the log stands at {session.seq}")
        async with session.lock(record_id, ttl=30) as lock:
            print(f"locked until {lock.expires_at}, fencing token {lock.token}")
            edited = await session.edit(record_id, "notes", text, base_version=session.seq, lock=lock)
            print(f"{edited.status}: version {edited.version} is {edited.value!r}")
        async for envelope in session.envelopes():
            if isinstance(envelope, Envelope) and envelope.seq is not None:
                print(envelope.seq, envelope.message_type, dict(envelope.data))
                if envelope.message_type == "lock.released" and envelope.data["record_id"] == record_id:
                    return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("session")
    parser.add_argument("record")
    parser.add_argument("--token", required=True)
    parser.add_argument("--text", default="checked")
    given = parser.parse_args()
    try:
        asyncio.run(main(given.url, given.session, given.record, given.token, given.text))
    except CollaborationError as error:
        raise SystemExit(f"{error.code}: {error.message}") from None
