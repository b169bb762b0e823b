"""The namespace `/collaboration`: what clients send becomes commands, what happened becomes envelopes.

``namespace``      one event's way: read, check, decide, acknowledge; the only place where a failure becomes an answer
``declarations``   how a handler says which event it is, what it takes and who may send it
``commands``       events that the engine decides
``actions``        events of the connection itself: join, leave, sync, presence, authenticate
``attendance``     who is in which session: rooms, presence, seats given back
``admission``      tokens: connecting, refreshing, expiring
``departures``     locks of people who went away
``rooms``          who is told what
``views``          states as clients see them
``failures``       exceptions as errors
"""

from realtime_server.collaboration.config import CollaborationConfig
from realtime_server.collaboration.namespace import Collaboration
from realtime_server.collaboration.rooms import NAMESPACE, Rooms

__all__ = ["NAMESPACE", "Collaboration", "CollaborationConfig", "Rooms"]
