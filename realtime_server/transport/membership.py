"""A client's coming and going: its connect handler's verdict, its place in its rooms, its disconnect handler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from socketio import exceptions

from . import packets
from .calling import resolved, takes
from .engine_socket import EngineSocket
from .faults import HandlerFaults
from .peer import Member

if TYPE_CHECKING:
    from .socket_server import SocketServer


class Membership:
    """Who is in the namespaces of one server; its coroutines run in the client's lane."""

    def __init__(self, server: SocketServer, faults: HandlerFaults) -> None:
        self._server = server
        self._manager = server.manager
        self._faults = faults

    async def connect(self, socket: EngineSocket, member: Member, auth: Any) -> None:
        """Run the connect handler and answer CONNECT or CONNECT_ERROR."""
        namespace, manager, server = member.namespace, self._manager, self._server
        sid = await manager.pre_connect(socket.sid, namespace)
        if sid is None:  # the application's own disconnect of the same client is not through yet
            sid = await self._connect_again(socket, namespace)
        member.sid = sid
        if server.always_connect:
            await self._accept(socket, member)
        else:
            member.held = []
        refusal = await self._ask(socket, member, auth)
        if socket.closed:  # it went away meanwhile, and nobody else will tell the application
            await self._gone_while_connecting(member, refusal is None, socket.reason)
            return
        if refusal is None:
            if not server.always_connect:
                await self._accept(socket, member)
            return
        server.eio.addresses.charge_refusal(socket.address, server.eio.loop.time())
        member.held = None  # what the application sent a client that it then refused
        if socket.peer.members.get(namespace) is member:
            del socket.peer.members[namespace]
            socket.peer.left.add(namespace)
        if server.always_connect:
            manager.pre_disconnect(sid, namespace)
            server.send_to(socket, packets.DISCONNECT, namespace)
        else:
            server.send_to(socket, packets.CONNECT_ERROR, namespace, refusal)
        member.accepted = False
        await manager.disconnect(sid, namespace, ignore_queue=True)
        if not socket.peer.members and not socket.closing:
            server.eio.connects.set(socket)  # refused everywhere, it may not stay for ever either

    async def _gone_while_connecting(self, member: Member, welcome: bool, reason: str) -> None:
        if welcome and not self._server.always_connect:
            await self._tell_disconnect(member, reason)
        await self._manager.disconnect(member.sid, member.namespace, ignore_queue=True)

    async def _connect_again(self, socket: EngineSocket, namespace: str) -> str:
        for _ in range(200):
            await asyncio.sleep(0.01)
            sid: str | None = await self._manager.pre_connect(socket.sid, namespace)
            if sid is not None:
                return sid
        raise RuntimeError(f"a client is still leaving {namespace}")

    async def _ask(self, socket: EngineSocket, member: Member, auth: Any) -> Any:
        """The connect handler's verdict: None for yes, or the payload of CONNECT_ERROR."""
        server = self._server
        environ = server.environ.get(socket.sid, {})
        arguments: tuple[Any, ...] = (member.sid, environ, auth)
        if not self._connect_takes_auth(member.namespace):
            arguments = arguments[:2]
        try:
            verdict = await resolved(await server._trigger_event("connect", member.namespace, *arguments))
        except exceptions.ConnectionRefusedError as refusal:
            return refusal.error_args
        except ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        except Exception as error:
            return await self._faults.refusal(member.sid, member.namespace, error)
        return exceptions.ConnectionRefusedError().error_args if verdict is False else None

    def _connect_takes_auth(self, namespace: str) -> bool:
        """Connect handlers without the `auth` argument are still allowed, as upstream allows them."""
        server = self._server
        handler, extra = server._get_event_handler("connect", namespace, ("", {}, None))
        if handler is None:
            instance, extra = server._get_namespace_handler(namespace, ("", {}, None))
            handler = getattr(instance, "on_connect", None)
        return handler is None or takes(handler, len(extra))

    async def _accept(self, socket: EngineSocket, member: Member) -> None:
        self._server.send_to(socket, packets.CONNECT, member.namespace, {"sid": member.sid})
        held, member.held = member.held or [], None
        for frame in held:
            socket.send_frame(frame)
        await self._manager.connect(member.sid, member.namespace)
        member.accepted = True

    async def leave_in_turn(self, socket: EngineSocket, member: Member) -> None:
        """`leave`, behind what the client sent before it said so; unless its connection's end came first."""
        leaving = socket.peer.leaving
        if member in leaving:
            leaving.remove(member)
            await self.leave(socket, member)

    async def leave(self, socket: EngineSocket, member: Member, reason: str | None = None) -> None:
        """Run the disconnect handler of a client that left, and take it out of its rooms."""
        namespace, sid, manager = member.namespace, member.sid, self._manager
        if not sid:
            return
        if not member.accepted:
            await manager.disconnect(sid, namespace, ignore_queue=True)
            return
        member.accepted = False
        if not manager.is_connected(sid, namespace):
            return
        manager.pre_disconnect(sid, namespace=namespace)
        try:
            await self._tell_disconnect(member, reason or self._server.reason.CLIENT_DISCONNECT)
        finally:
            await manager.disconnect(sid, namespace, ignore_queue=True)

    async def _tell_disconnect(self, member: Member, reason: str) -> None:
        try:
            await resolved(await self._server._trigger_event("disconnect", member.namespace, member.sid, reason))
        except Exception:
            self._faults.log("a disconnect handler failed")
