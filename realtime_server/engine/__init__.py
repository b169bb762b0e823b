"""One actor per open session: commands in, commits to the log, then broadcasts and answers, in that order.

``engine``        the registry of open sessions: what the shells call
``actor``         takes all waiting commands, decides them, appends them as one batch, publishes, answers
``batch``         the pure part of that: a batch of commands against a state
``recent``        the newest commits in memory: retries are recognised and short replays answered from here
``materialiser``  folds the log into stored records and checkpoints, beside the actor
``sweeper``       ends sessions that nobody has used for their time
"""
