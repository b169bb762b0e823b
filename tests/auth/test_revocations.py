"""Which tokens a revocation takes away, and from which moment on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
import pytest

from realtime_server.auth.identity import Identity
from realtime_server.auth.revocations import LEEWAY, MAX_REVOCATIONS, RevocableVerifier, Revocations
from realtime_server.auth.tokens import TokenVerifier
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Revocation
from realtime_server.storage.memory import MemoryRevocationStore

NOW = 1_795_341_600
SECRET = b"a secret of the tests, long enough for HS256"


def identity(issued_at: int, user: str = "alice") -> Identity:
    return Identity(user, user.title(), {"p": Role.PREPARER, "q": Role.ADMIN}, NOW + 3600, issued_at)


@pytest.fixture
def store() -> MemoryRevocationStore:
    return MemoryRevocationStore()


@pytest.fixture
def revocations(store: MemoryRevocationStore) -> Revocations:
    return Revocations(store, lambda: NOW * 1000)


async def test_tokens_up_to_the_moment_lose_the_project_and_keep_the_others(revocations: Revocations) -> None:
    await revocations.revoke("alice", "p", "adam")
    for issued_at in (0, NOW - 60, NOW, NOW + LEEWAY):
        assert dict(revocations.check(identity(issued_at)).roles) == {"q": Role.ADMIN}
    later = identity(NOW + LEEWAY + 1)
    assert revocations.check(later) is later


async def test_what_is_revoked_everywhere_is_refused_whole(revocations: Revocations) -> None:
    await revocations.revoke("alice", None, "system")
    with pytest.raises(CollaborationError) as refusal:
        revocations.check(identity(NOW))
    assert refusal.value.code is ErrorCode.UNAUTHENTICATED
    assert revocations.check(identity(NOW + LEEWAY + 1)).roles


async def test_nobody_else_is_concerned(revocations: Revocations) -> None:
    await revocations.revoke("alice", None, "system")
    bob = identity(0, "bob")
    assert revocations.check(bob) is bob


async def test_roles_that_are_left_cannot_be_changed(revocations: Revocations) -> None:
    await revocations.revoke("alice", "p", "adam")
    with pytest.raises(TypeError):
        revocations.check(identity(NOW)).roles["p"] = Role.ADMIN  # type: ignore[index]  # that is what is tested


async def test_another_process_learns_of_it_by_looking_and_is_told_once(store: MemoryRevocationStore) -> None:
    here, there = Revocations(store, lambda: NOW * 1000), Revocations(store, lambda: 0)
    told: list[Revocation] = []
    made: list[Revocation] = []
    there.on_learned(told.append)
    here.on_made(made.append)
    revocation = await here.revoke("alice", "p", "adam", "left the firm")
    for _ in range(2):
        await there.refresh()
        there.learn(revocation)
    assert told == made == [revocation]
    assert "p" not in there.check(identity(NOW)).roles


@pytest.mark.parametrize(
    "failure",
    [CollaborationError(ErrorCode.UNAVAILABLE, "the database did not answer in time"), KeyError("project_id")],
    ids=["the database was away", "what is stored cannot be read"],
)
async def test_it_goes_on_looking_after(failure: Exception) -> None:
    class Failing(MemoryRevocationStore):
        failures = 2

        async def changed(self, mark: int) -> tuple[list[Revocation], int]:
            if self.failures:
                self.failures -= 1
                raise failure
            return await super().changed(mark)

    failing = Failing()
    revocations = Revocations(failing, lambda: NOW * 1000)
    learned = asyncio.Event()
    revocations.on_learned(lambda revocation: learned.set())
    await failing.add(Revocation("alice", "p", NOW, "adam"))
    following = asyncio.create_task(revocations.follow(0.001))
    async with asyncio.timeout(10):
        await learned.wait()
    following.cancel()
    assert failing.failures == 0


async def test_a_failure_about_one_keeps_nobody_from_learning_of_the_others(store: MemoryRevocationStore) -> None:
    revocations = Revocations(store, lambda: NOW * 1000)
    learned = asyncio.Event()

    def hears(revocation: Revocation) -> None:
        if revocation.user_id == "alice":
            raise ValueError("nobody expects this")
        learned.set()

    revocations.on_learned(hears)
    for user in ("alice", "bob"):
        await store.add(Revocation(user, "p", NOW, "adam"))
    following = asyncio.create_task(revocations.follow(0.001))
    async with asyncio.timeout(10):
        await learned.wait()
    following.cancel()
    assert all("p" not in revocations.check(identity(NOW, user)).roles for user in ("alice", "bob"))


async def test_a_project_has_a_bound_and_who_is_in_it_can_be_revoked_again() -> None:
    class Full(MemoryRevocationStore):
        async def count(self, project_id: str | None, limit: int) -> int:
            return MAX_REVOCATIONS

    revocations = Revocations(Full(), lambda: NOW * 1000)
    with pytest.raises(CollaborationError) as refusal:
        await revocations.revoke("alice", "p", "adam")
    assert refusal.value.code is ErrorCode.OVERLOADED
    revocations.learn(Revocation("bob", "p", 1, "adam"))
    assert (await revocations.revoke("bob", "p", "adam")).before == NOW + LEEWAY


def _signed(**claims: Any) -> str:
    return jwt.encode({"sub": "alice", "exp": time.time() + 600, "projects": {"p": "admin"}, **claims}, SECRET, "HS256")


async def test_a_token_that_does_not_say_when_it_was_issued_stays_revoked(store: MemoryRevocationStore) -> None:
    revocations = Revocations(store, lambda: NOW * 1000)
    verifier = RevocableVerifier(TokenVerifier(secret=SECRET), revocations)
    revocations.learn(Revocation("alice", "p", 1_000_000, "adam"))
    assert (await verifier.verify(_signed())).roles == {}
    assert (await verifier.verify(_signed(iat=1_000_001))).roles == {"p": Role.ADMIN}


@pytest.mark.parametrize("iat", ["yesterday", True, [1], {"$gt": 0}])
async def test_a_moment_of_issue_that_is_none_is_refused(iat: object) -> None:
    with pytest.raises(CollaborationError) as refusal:
        await TokenVerifier(secret=SECRET).verify(_signed(iat=iat))
    assert refusal.value.code is ErrorCode.UNAUTHENTICATED
