from .plain_outlets import Outlet as Outlet
from .plain_outlets import flush as flush
from .plain_outlets import queue as queue
