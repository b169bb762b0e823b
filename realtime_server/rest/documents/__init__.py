"""OpenAPI, AsyncAPI, JSON Schema and TypeScript: made from the schemas and the declared operations, written by nobody.

``components``   marshmallow schemas as JSON Schema
``openapi``      the HTTP interface
``asyncapi``     the Socket.IO namespace
``json_schema``  every message, by name
``typescript``   the same as types for clients
``examples``     example objects, put together from the fields' examples
"""
