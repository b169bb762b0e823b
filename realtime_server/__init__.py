"""A Socket.IO server with which accounting teams reconcile records together, live."""
