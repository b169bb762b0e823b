"""Tokens that are not believed any more before they expire.

A revocation says: what was issued to this person up to this moment gives nothing in this project, or anywhere. It is
stored before it is answered. This process applies it at once, others when they are told (`learn`) or look (`follow`).
While the database is away nothing new is learnt, and what is known holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Protocol

from realtime_server.auth.identity import Identity
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Revocation, RevocationStore

log = logging.getLogger(__name__)

LEEWAY: Final = 5
"""Seconds by which an issuer's clock may be ahead of ours (as for the other claims, `tokens.LEEWAY`). So long after a
revocation new tokens of the person are refused as well."""

MAX_REVOCATIONS: Final = 10_000
"""People whose tokens can be revoked in one project: every process has them in memory."""

Told = Callable[[Revocation], None]


class Revocations:
    """What this process knows of them. ``clock`` gives milliseconds since 1970."""

    def __init__(self, store: RevocationStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._mark = 0
        #: user -> project (None: every one) -> the last second whose tokens are revoked.
        self._before: dict[str, dict[str | None, int]] = {}
        self._on_learned: list[Told] = []
        self._on_made: list[Told] = []
        self._on_looked: list[Callable[[], None]] = []

    def on_learned(self, told: Told) -> None:
        """``told`` is called with every revocation that is new to this process, wherever it was made."""
        self._on_learned.append(told)

    def on_made(self, told: Told) -> None:
        """``told`` is called with every revocation that was made here and is stored: for telling other processes."""
        self._on_made.append(told)

    def on_looked(self, looked: Callable[[], None]) -> None:
        """``looked`` is called after each look at the database (`follow`), whether it went well or not."""
        self._on_looked.append(looked)

    def check(self, identity: Identity) -> Identity:
        """The identity without what was revoked; `unauthenticated` when all of it was.

        A token that does not say when it was issued (``iat``) counts as older than any revocation.
        """
        revoked = self._before.get(identity.user_id)
        if revoked is None:
            return identity
        issued_at = identity.issued_at
        if issued_at <= revoked.get(None, -1):
            raise CollaborationError(ErrorCode.UNAUTHENTICATED, "The token was revoked")
        roles = {name: role for name, role in identity.roles.items() if issued_at > revoked.get(name, -1)}
        return identity if len(roles) == len(identity.roles) else replace(identity, roles=MappingProxyType(roles))

    async def revoke(
        self, user_id: str, project_id: str | None, by: str, reason: str | None = None
    ) -> Revocation:
        """Believe no token that the person has now; returns when this is stored and applied here.

        ``project_id`` None: in no project. `unavailable` where it could not be stored: then it may hold all the same,
        and asking again is harmless. `overloaded` where the project has `MAX_REVOCATIONS` already.
        """
        known = project_id in self._before.get(user_id, {})
        if not known and await self._store.count(project_id, MAX_REVOCATIONS) >= MAX_REVOCATIONS:
            message = f"there are {MAX_REVOCATIONS} revocations in this project already"
            raise CollaborationError(ErrorCode.OVERLOADED, message)
        revocation = Revocation(user_id, project_id, self._clock() // 1000 + LEEWAY, by, reason)
        await self._store.add(revocation)
        log.info("the tokens of %r were revoked in %r by %r", user_id, project_id or "every project", by)
        self.learn(revocation)
        for told in self._on_made:
            told(revocation)
        return revocation

    def learn(self, revocation: Revocation) -> None:
        """Apply what was revoked at another process. What is known already changes nothing."""
        known = self._before.setdefault(revocation.user_id, {})
        if known.get(revocation.project_id, -1) >= revocation.before:
            return
        known[revocation.project_id] = revocation.before
        for told in self._on_learned:
            told(revocation)

    async def refresh(self) -> None:
        """Learn what the database has and this process does not know."""
        found, mark = await self._store.changed(self._mark)
        for revocation in found:
            self.learn(revocation)
        self._mark = mark  # not before all of them are known

    async def follow(self, interval: float) -> None:
        """`refresh` every ``interval`` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.refresh()
            except CollaborationError as error:
                log.warning("revoked tokens cannot be looked for: %s", error.message)
            except Exception:
                log.exception("looking for revoked tokens failed")
            for looked in self._on_looked:
                try:
                    looked()
                except Exception:
                    log.exception("open connections could not be looked at after revocations")


class Verifier(Protocol):
    async def verify(self, token: object) -> Identity:
        """Who the token stands for; raises `CollaborationError`."""


class RevocableVerifier:
    """A verifier that knows what was revoked."""

    def __init__(self, verifier: Verifier, revocations: Revocations) -> None:
        self._verifier = verifier
        self._revocations = revocations

    async def verify(self, token: object) -> Identity:
        """As the verifier says, less what was revoked; nothing is awaited after the look at the revocations."""
        return self.check(await self._verifier.verify(token))

    def check(self, identity: Identity) -> Identity:
        """What is left of an identity that was verified earlier (`Revocations.check`)."""
        return self._revocations.check(identity)
