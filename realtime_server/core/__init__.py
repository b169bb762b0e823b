"""The rules, and nothing but the rules: no I/O, no clock, no randomness. Time and ids come in with the commands.

``state``      what a session is at a given ``seq``: frozen data
``commands``   what people (and the system) ask for
``commits``    what happened: one commit is one ``seq``, one broadcast, one link of the hash chain
``decide``     ``decide(state, command, now) -> Commit | NoChange | Rejection``
``evolve``     ``evolve(state, commit) -> state``
``sessions``, ``edits``, ``conflicts``, ``locks``, ``comments``, ``history``
               one module a family: how its commands are decided and how its commits change the state
``merging``    field policies and the three-way merges
``values``     what may stand in a field
``fields``     what may be set on a record, given the rest of it: its size, its currency
``permissions``  which role may send which command
``snapshot``   state and records as plain documents, for checkpoints
"""
