"""The HTTP interface: the same commands, permissions and codes as the socket, for services that speak HTTP.

``operations``  how a route is declared: method, path, schemas and handler in one place
``dispatch``    the way of one request: token, limits, path, query, body, handler, answer
``problems``    the one place where errors become problem+json, and headers that every answer has
``bodies``      reading a body within its bounds, and writing one
``cursors``     where a page ended, as opaque text
``sessions``, ``people``, ``records``, ``writes``, ``conflicts``, ``history``, ``states``
                the operations, by family
``counts``      how many records a session has
``past``        records and sessions as of an earlier commit
``tally``       what the log says of the work in a session
``documents``   OpenAPI, AsyncAPI, JSON Schema and TypeScript, made from the schemas
``pages``       these documents, and pages to read and try them
``app``         all of it as one aiohttp application
"""
