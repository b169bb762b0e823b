"""Who is in a session just now. Ephemeral: a lease of each connection, never part of the log.

``members``   what a connection says of its person, and how a person's connections become one entry
``ports``     `Presence`: what the shells need, and what it guarantees
``memory``    the adapter for one process
``pacing``    how often changes of one person are told
"""
