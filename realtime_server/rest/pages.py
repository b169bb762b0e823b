from aiohttp import web

from realtime_server.rest.operations import Operation


def add_routes(app: web.Application, operations: tuple[Operation, ...]) -> None: ...
