"""What an operator can tune of the engine. Rules are not here: those are the core's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Bounds and intervals. Times in seconds.

    ``queue_limit``      commands waiting for one session; further ones are refused as `overloaded`
    ``batch_size``       commands decided and appended together at most
    ``attempts``         how often a batch is decided anew because other instances were faster
    ``checkpoint_every`` commits after which a checkpoint is begun; what opening a session replays
    ``tail_limit``       commits that may be ahead of the newest checkpoint; then further commands wait for it
    ``checkpoint_after`` a session with fewer new commits than that is checkpointed when it has rested for so long
    ``idle_unload``      a session nobody watches or uses leaves memory after so long
    ``replay_limit``     commits sent to a client that catches up; one further behind reloads
    ``recent_commits``   newest commits kept in memory per open session
    ``records_kept``     records of one session kept in memory once they are stored
    ``open_sessions``    sessions open at once; beyond it opening one is refused as `overloaded`
    ``poll_interval``    how often the logs of watched sessions are looked at for other processes' commits; None: never
    ``sweep_interval``   how often expired sessions are looked for
    """

    queue_limit: int = 1_000
    batch_size: int = 256
    attempts: int = 50
    checkpoint_every: int = 8_000
    tail_limit: int = 16_000
    checkpoint_after: float = 60.0
    idle_unload: float = 60.0
    replay_limit: int = 1_000
    recent_commits: int = 512
    records_kept: int = 5_000
    open_sessions: int = 10_000
    poll_interval: float | None = None
    sweep_interval: float = 30.0
