"""The application: the only place that names concrete classes. Every resource opens and closes in one function here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest

from realtime_server.admin_ui import AdminUi
from realtime_server.auth.revocations import RevocableVerifier, Revocations
from realtime_server.auth.tokens import TokenVerifier, check_key_file, verifier_of
from realtime_server.collaboration import NAMESPACE, Collaboration, CollaborationConfig, Rooms
from realtime_server.collaboration.failures import refusal
from realtime_server.collaboration.notices import say_elsewhere
from realtime_server.core.commits import Commit
from realtime_server.core.notifications import Notice
from realtime_server.doorkeeper import Doorkeeper
from realtime_server.ending import end_tasks
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.engine import Engine
from realtime_server.engine.overviews import OverviewWriter
from realtime_server.engine.retention import NameRetention, RetentionSweeper
from realtime_server.errors import CollaborationError
from realtime_server.fanout.local import LocalFanout
from realtime_server.fanout.redis_hints import RedisHints
from realtime_server.fanout.redis_overviews import RedisOverviews
from realtime_server.fanout.redis_people import RedisPeople, share_revocations
from realtime_server.metrics import (
    EventMetrics,
    RequestMetrics,
    Timing,
    counter,
    gauge,
    process_metrics,
    timings,
    watch_loop,
)
from realtime_server.presence.memory import MemoryPresence
from realtime_server.presence.pacing import Pacer
from realtime_server.presence.ports import Announce, Presence
from realtime_server.presence.redis import HANDOVER, RedisPresence
from realtime_server.quotas import Quotas
from realtime_server.reconciliation.run import RunService
from realtime_server.redis_bus import COUNTED, RedisBus, open_bus
from realtime_server.rest import app as rest
from realtime_server.settings import Settings
from realtime_server.storage.embedded import embedded_mongod, shared_mongod
from realtime_server.storage.mongo import MongoStore, open_store
from realtime_server.tracing import Tracing, shut_down, tracing_of
from realtime_server.transport import Limits, SocketServer
from realtime_server.transport.addresses import TrustedProxies
from realtime_server.transport.shared_manager import SharedManager
from realtime_server.web_files import add_web_files

#: Seconds. A busy server gathers events for so long at most before they are handled (`Pressure`): docs/performance.md,
#: "What an edit costs".
_INPUT_PAUSE: Final = 0.005
#: The transport ends connections that send so many times what `rate_limited` answers: they do not read answers.
_HARD_RATE: Final = 4


@dataclass(frozen=True, slots=True)
class Services:
    """What the application is made of, for whoever adds routes: ``app[SERVICES]``, there once it has started.

    ``clock`` gives milliseconds since 1970, by the database. ``bus``: the way to other processes, None without a Redis.
    """

    settings: Settings
    store: MongoStore
    engine: Engine
    presence: Presence
    verifier: RevocableVerifier
    revocations: Revocations
    clock: Callable[[], int]
    runs: RunService
    quotas: Quotas
    bus: RedisBus | None = None


SERVICES = web.AppKey("services", Services)
METRICS = web.AppKey("metrics", CollectorRegistry)
#: There where traces are asked for.
TRACING = web.AppKey("tracing", Tracing)


class Draining:
    """The end of a process that others go on without: it is not ready any more, and sends its clients to them.

    ``begin`` returns when every client has been told; nothing is closed by it that closes at the end anyway.
    """

    def __init__(self, settings: Settings, sockets: SocketServer) -> None:
        self._seconds = settings.ws_drain_time
        self.sockets = sockets
        self.collaboration: Collaboration | None = None
        self.has_begun = False

    async def begin(self) -> None:
        self.has_begun = True
        if self.collaboration is not None and self.collaboration.connections:
            self.collaboration.drain(HANDOVER)
            await self.sockets.eio.drain(self._seconds)


DRAINING = web.AppKey("draining", Draining)


def create_app(settings: Settings) -> web.Application:
    """The server as an aiohttp application: Socket.IO, health and metrics. Start it to open its resources."""
    sockets = _socket_server(settings)
    door = Doorkeeper(sockets.eio.client_address, settings.ws_address_refusals, sockets.eio.sockets)
    app = web.Application(client_max_size=settings.ws_max_message_size, middlewares=[door.middleware])
    app[METRICS] = CollectorRegistry()
    app[DRAINING] = Draining(settings, sockets)
    for path in ("socket.io", settings.ws_path):
        sockets.attach(app, socketio_path=path)
    app[METRICS].register(sockets.collector())
    app.cleanup_ctx.append(_watched)
    if settings.admin_user is not None and settings.admin_password is not None:
        admin = AdminUi(sockets, settings.admin_user, settings.admin_password, (NAMESPACE,))
        app.cleanup_ctx.append(lambda app: _admin_ui(admin))
    _trace(app, settings)
    app.cleanup_ctx.append(lambda app: _services(app, settings, sockets))
    _add_http(app, settings)
    add_web_files(app, settings)
    return app


def create_rest_app(settings: Settings) -> web.Application:
    """The HTTP interface alone, for a process beside servers on the same database. It has an engine of its own."""
    door = Doorkeeper(TrustedProxies(settings.ws_trusted_proxies).client_of, settings.ws_address_refusals)
    app = web.Application(middlewares=[door.middleware])
    app[METRICS] = CollectorRegistry()
    app.cleanup_ctx.append(_watched)
    _trace(app, settings)
    app.cleanup_ctx.append(lambda app: _rest_services(app, settings))
    _add_http(app, settings)
    return app


def _add_http(app: web.Application, settings: Settings) -> None:
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    app.add_subapp(rest.PREFIX, rest.create_rest(rest.config_of(settings), RequestMetrics(app[METRICS]).observe))


def _socket_server(settings: Settings) -> SocketServer:
    origins: Any = list(settings.cors_allowed_origins) or None
    return SocketServer(
        client_manager=None if settings.redis_url is None else SharedManager(),
        cors_allowed_origins="*" if origins == ["*"] else origins,
        trusted_proxies=settings.ws_trusted_proxies,
        ping_interval=settings.ws_ping_interval,
        ping_timeout=settings.ws_ping_timeout,
        input_pause=_INPUT_PAUSE,
        limits=Limits(
            frame_size=settings.ws_max_message_size,
            message_size=settings.ws_max_message_size,
            pending_output=settings.ws_outbox_limit,
            connections=settings.ws_max_connections,
            connections_per_address=settings.ws_address_connections or None,
            connection_rate=settings.ws_address_rate or None,
            connection_burst=settings.ws_address_burst,
            connect_timeout=settings.ws_connect_timeout,
            event_rate=_HARD_RATE * settings.ws_rate_limit,
            event_burst=_HARD_RATE * settings.ws_rate_burst,
        ),
        on_handler_error=lambda event, sid, namespace, error: refusal(error),
    )


def _trace(app: web.Application, settings: Settings) -> None:
    found = tracing_of(settings)
    if found is not None:
        tracing, provider = found
        app[TRACING] = tracing
        app.middlewares.append(tracing.middleware(rest.PREFIX))
        app.cleanup_ctx.append(lambda app: shut_down(provider))


async def _admin_ui(admin: AdminUi) -> AsyncIterator[None]:
    admin.start()
    yield
    await admin.close()


async def _watched(app: web.Application) -> AsyncIterator[None]:
    """What operators see of the process itself."""
    process_metrics(app[METRICS])
    lag = Histogram("collaboration_loop_lag_seconds", "How late the event loop is.", registry=app[METRICS])
    task = asyncio.create_task(watch_loop(lag.observe), name="loop-lag")
    yield
    task.cancel()
    await asyncio.wait([task])


def _key_set_metrics(registry: CollectorRegistry, verifier: TokenVerifier) -> None:
    if verifier.key_set_age is not None:
        text = "Since the key set in use was loaded; 0 before it was."
        gauge(registry, "collaboration_key_set_age_seconds", text, lambda: verifier.key_set_age or 0.0)


async def _services(app: web.Application, settings: Settings, sockets: SocketServer) -> AsyncIterator[None]:
    await check_key_file(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_store(settings))
        bus = await stack.enter_async_context(_bus(app, settings, store))
        revocations = await stack.enter_async_context(_revocations(settings, store, bus))
        app[SERVICES] = await stack.enter_async_context(_collaboration(app, settings, sockets, store, revocations, bus))
        app[rest.SERVICES] = _for_rest(app[SERVICES])
        yield


@asynccontextmanager
async def _store(settings: Settings, *, beside_others: bool = False) -> AsyncIterator[MongoStore]:
    """``beside_others``: an embedded mongod may be the one that another process of this ``DATA_DIR`` started."""
    async with AsyncExitStack() as stack:
        url = settings.mongodb_url
        if url is None:
            mongod = shared_mongod if beside_others else embedded_mongod
            url = (await stack.enter_async_context(mongod(settings.data_dir))).url
        notices_days = settings.retention_notifications_days
        yield await stack.enter_async_context(
            open_store(url, settings.mongodb_database, notices_days=notices_days)
        )


@asynccontextmanager
async def _bus(app: web.Application, settings: Settings, store: MongoStore) -> AsyncIterator[RedisBus | None]:
    """How this process talks with others; None for one that is alone, as far as it has been told."""
    if settings.redis_url is None:
        yield None
        return
    secret = await store.shared_secret()
    async with open_bus(settings.redis_url, settings.redis_session_prefix, secret) as bus:
        gauge(app[METRICS], "collaboration_redis_up", "Whether Redis answers.", lambda: bus.is_up)
        for name in COUNTED:
            text = f"Messages between processes that were {name}."
            counter(app[METRICS], f"collaboration_redis_messages_{name}", text, partial(bus.counts.__getitem__, name))
        await bus.ready()
        yield bus


@asynccontextmanager
async def _revocations(settings: Settings, store: MongoStore, bus: RedisBus | None) -> AsyncIterator[Revocations]:
    """What was revoked, known from the start, and looked after from then on."""
    revocations = Revocations(store.revocations, store.clock)
    if bus is not None:
        share_revocations(bus, revocations.on_made, revocations.learn)
    await revocations.refresh()
    following = asyncio.create_task(revocations.follow(settings.auth_revocation_interval))
    try:
        yield revocations
    finally:
        await end_tasks(following)


def _presence(announce: Announce, clock: Callable[[], int], bus: RedisBus | None) -> Presence:
    return MemoryPresence(announce, clock) if bus is None else RedisPresence(announce, clock, bus)


async def _rest_services(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    await check_key_file(settings)
    async with _store(settings, beside_others=True) as store, _bus(app, settings, store) as bus:
        # Nobody listens here; who is connected to servers is notified there.
        people = None if bus is None else RedisPeople(bus, lambda user_id, message: None)
        # Servers beside this process are told, or find its commits in the log.
        engine = Engine(
            store.log,
            store.sessions,
            store.records,
            publish=lambda commits: runs.observe(commits),
            hints=None if bus is None else RedisHints(bus, lambda *hint: engine.hint(*hint)),
            notices=store.notices,
            notify=lambda notices, first: _say(people, notices, first),
            config=_engine_config(settings),
            clock=store.clock,
        )
        presence = _presence(lambda change: None, store.clock, bus)
        runs = _runs(engine, store, presence)
        _engine_metrics(app[METRICS], engine)
        try:
            async with _revocations(settings, store, bus) as revocations:
                tokens = verifier_of(settings)
                _key_set_metrics(app[METRICS], tokens)
                verifier = RevocableVerifier(tokens, revocations)
                app[SERVICES] = Services(
                    settings, store, engine, presence, verifier, revocations, store.clock, runs, _quotas(settings), bus
                )
                app[rest.SERVICES] = _for_rest(app[SERVICES])
                yield
        finally:
            await runs.close()
            await presence.close()
            await engine.close()


def _say(people: RedisPeople | None, notices: Sequence[Notice], first: Collection[str]) -> None:
    for notice in notices:
        if people is not None and notice.notice_id in first:
            say_elsewhere(people, notice)


def _for_rest(services: Services) -> rest.Services:
    return rest.Services(
        engine=services.engine,
        log=services.store.log,
        sessions=services.store.sessions,
        records=services.store.records,
        mappings=services.store.mappings,
        rules=services.store.rules,
        notices=services.store.notices,
        imports=services.store.imports,
        verifier=services.verifier,
        revocations=services.revocations,
        presence=services.presence,
        clock=services.clock,
        runs=services.runs,
        quotas=services.quotas,
        overviews=None if services.bus is None else RedisOverviews(services.bus),
    )


def _engine_metrics(registry: CollectorRegistry, engine: Engine, sockets: SocketServer | None = None) -> None:
    times = engine.timings
    stages: dict[str, Timing] = {"decided": times.decided, "appended": times.appended, "published": times.published}
    if sockets is not None:
        stages = {"received": times.received, **stages, "delivered": sockets.stats.writes}
    timings(registry, "collaboration_stage_seconds", "What each stage of an edit takes.", "stage", stages)
    counter(registry, "collaboration_commits", "Commits appended by this process.", lambda: times.commits)
    counter(registry, "collaboration_lost_races", "Batches decided anew: others were faster.", lambda: times.lost_races)
    counter(registry, "collaboration_append_failures", "Appends without an answer.", lambda: times.failed_appends)
    gauge(registry, "collaboration_open_sessions", "Sessions in memory.", lambda: engine.open_sessions)
    gauge(registry, "collaboration_waiting_commands", "Commands not decided yet.", lambda: engine.waiting_commands)
    text = "Commits of the session that is furthest ahead of its checkpoint."
    gauge(registry, "collaboration_beyond_checkpoint", text, lambda: engine.beyond_checkpoints)


@asynccontextmanager
async def _collaboration(
    app: web.Application,
    settings: Settings,
    sockets: SocketServer,
    store: MongoStore,
    revocations: Revocations,
    bus: RedisBus | None,
) -> AsyncIterator[Services]:
    """The engine with its clients. Closed from the outside in: nobody is announced, then nothing is decided."""
    tracing = app.get(TRACING)
    rooms = Rooms(sockets)
    fanout = LocalFanout(rooms.broadcast)

    def publish(commits: Sequence[Commit]) -> None:
        fanout.publish(commits)
        collaboration.observe(commits)
        runs.observe(commits)
        if writer is not None:
            writer.observe(commits)

    engine = Engine(
        store.log,
        store.sessions,
        store.records,
        publish=publish,
        hints=None if bus is None else RedisHints(bus, lambda *hint: engine.hint(*hint)),
        notices=store.notices,
        notify=lambda notices, first: collaboration.notices.tell(notices, first),
        config=_engine_config(settings),
        busy=lambda: sockets.eio.busy,
        trace=None if tracing is None else tracing.batch,
        clock=store.clock,
    )
    writer = None if bus is None else OverviewWriter(engine, RedisOverviews(bus))
    if bus is not None:
        bus.on_reset(engine.poke_watched)
        sockets.manager.connect_wire(bus)
    pacer = Pacer(lambda change: collaboration.attendance.announce(change))
    presence = _presence(pacer, store.clock, bus)
    tokens = verifier_of(settings)
    _key_set_metrics(app[METRICS], tokens)
    verifier = RevocableVerifier(tokens, revocations)
    runs = _runs(engine, store, presence)
    quotas = _quotas(settings)
    collaboration = Collaboration(
        sockets=sockets,
        rooms=rooms,
        engine=engine,
        presence=presence,
        verifier=verifier,
        config=_collaboration_config(settings),
        clock=store.clock,
        runs=runs,
        quotas=quotas,
        notices=store.notices,
        observe=EventMetrics(app[METRICS]).observe,
        elsewhere=None if bus is None else RedisPeople(bus, lambda *about: collaboration.people.heard(*about)),
        trace=None if tracing is None else tracing.event,
    )
    revocations.on_learned(lambda revocation: collaboration.recheck_user(revocation.user_id))
    revocations.on_looked(collaboration.recheck)
    _engine_metrics(app[METRICS], engine, sockets)
    app[DRAINING].collaboration = collaboration
    sweeping = _retention(app[METRICS], settings, store, engine)
    gauge(app[METRICS], "collaboration_clients", "Clients connected.", lambda: collaboration.connections)
    try:
        yield Services(settings, store, engine, presence, verifier, revocations, store.clock, runs, quotas, bus)
    finally:
        if sweeping is not None:
            await end_tasks(sweeping)
        if writer is not None:
            await writer.close()
        await runs.close()
        await presence.close()
        pacer.close()
        await collaboration.close()
        await engine.close()


def _retention(
    registry: CollectorRegistry, settings: Settings, store: MongoStore, engine: Engine
) -> asyncio.Task[None] | None:
    """Names go by age, until it is cancelled, where somebody has said so."""
    days = settings.retention_names_days
    if not days:
        return None
    retention = NameRetention(engine, store.log, store.notices, store.clock, days)
    sweeper = RetentionSweeper(retention, store.turns)
    text = "Sessions from which this process erased people's names because of their age."
    counter(registry, "collaboration_retention_sessions", text, lambda: sweeper.sessions)
    return asyncio.create_task(sweeper.sweep_forever(), name="retention")


def _runs(engine: Engine, store: MongoStore, presence: Presence) -> RunService:
    return RunService(
        engine,
        store.sessions,
        store.records,
        busy=lambda session_id: _busy(presence, session_id),
        clock=store.clock,
    )


async def _busy(presence: Presence, session_id: str) -> frozenset[str]:
    """Records in one of whose fields somebody stands at this moment: a matching run leaves them for later."""
    focuses = (member.focus for member in await presence.members(session_id) if not member.idle)
    return frozenset(focus["record_id"] for focus in focuses if focus and "field_name" in focus)


def _engine_config(settings: Settings) -> EngineConfig:
    return EngineConfig(
        queue_limit=settings.actor_queue_limit,
        batch_size=settings.commit_batch_size,
        checkpoint_every=settings.checkpoint_every,
        idle_unload=settings.session_idle_unload,
        replay_limit=settings.replay_limit,
        poll_interval=settings.poll_interval or None,
    )


def _collaboration_config(settings: Settings) -> CollaborationConfig:
    return CollaborationConfig(
        max_users=settings.collaboration_max_users,
        lock_timeout=settings.collaboration_lock_timeout,
        lock_grace=settings.lock_grace,
        presence_grace=settings.presence_grace,
        token_warning=settings.auth_token_warning,
        event_rate=settings.ws_rate_limit,
        event_burst=settings.ws_rate_burst,
        user_connections=settings.user_connections,
    )


def _quotas(settings: Settings) -> Quotas:
    return Quotas(
        user=(settings.user_rate, settings.user_burst),
        session=(settings.session_rate, settings.session_burst),
        project=(settings.project_rate, settings.project_burst),
    )


async def _healthz(request: web.Request) -> web.Response:
    """The process lives and its event loop turns."""
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    """Requests would succeed: the process goes on, and the database answers."""
    draining = request.app.get(DRAINING)
    if draining is not None and draining.has_begun:
        return web.json_response({"status": "draining"}, status=503)
    try:
        await request.app[SERVICES].store.ping()
    except CollaborationError as error:
        return web.json_response({"status": "unavailable", "reason": str(error)}, status=503)
    return web.json_response({"status": "ok"})


async def _metrics(request: web.Request) -> web.Response:
    body = generate_latest(request.app[METRICS])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
