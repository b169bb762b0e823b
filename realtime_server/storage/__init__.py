"""Durable state in MongoDB: the log (``commits``), the checkpoints (``sessions``) and the folded ``records``.

``mongo`` opens the three stores behind the ports; ``documents`` says what lies in the database; ``memory`` is the same
guarantees in one process's memory, for tests of the engine; ``embedded`` runs a mongod where there is none;
``audit`` checks and exports the log. ``docs/storage.md`` describes the documents, the indexes and the hashed form.
"""
