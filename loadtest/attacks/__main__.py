"""``python -m loadtest.attacks [ATTACK …]``: a bystander's deliveries before and during each attack.

Starts a server with its defaults and an embedded MongoDB for each attack. Where there are two cores, the server has
the first, the bystander and the attacker have the others, and mongod any. The attacker is one process that gets
what the others leave (``SCHED_IDLE``, or nice 19), and comes from another address (127.0.0.2) where the machine has it.
Times are in milliseconds, from the moment an edit was due until a member was told; ``own`` is how late the bystander
itself was (p99, of its sends and of a timer), which is in those times too.

An attack holds when p99 at most doubled or is below 15 ms: without an attack p99 is 5 to 8 ms from run to run, so that
less than that floor cannot be told from noise. Exit code 1 when one does not, and when a bystander's edit was refused,
lost, or later than 10 s. ``full throttle`` is no attack but fairness: one session's fifty people send all they can to
a server without limits, and p99 of the bystander's session has to stay below 50 ms. Only ever aimed at the server that
is started here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any, Final

import aiohttp

from loadtest.attacks.apart import cores, give_way, other_address
from loadtest.attacks.attacker import ATTACKS, Ground, messages
from loadtest.attacks.bystander import POLICIES, PROJECT, Bystanders
from loadtest.target import Target, end_in_order, own_server
from realtime_server.auth.issue import issue_token
from realtime_server.core.roles import Role

MEMBERS: Final = 50
#: Milliseconds. Below, p99 holds whatever it was before.
_FLOOR: Final = 15.0
#: One session at full throttle, with nothing that limits what is asked for it: how a process shares itself out by
#: itself. Its own bound, in milliseconds.
_THROTTLE: Final = "full throttle"
_UNLIMITED: Final = {
    "COLLABORATION_USER_RATE": "0",
    "COLLABORATION_SESSION_RATE": "0",
    "WS_RATE_LIMIT": "100000",
    "WS_RATE_BURST": "100000",
}
_FAIR: Final = 50.0
_NAMES: Final = (*ATTACKS, _THROTTLE)


async def _attack(name: str, ground: dict[str, Any]) -> None:
    """The attacking process: until it is told to end (SIGTERM)."""
    give_way()
    address = other_address()
    local = None if address is None else (address, 0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, local_addr=local)) as http:
        place = Ground(http=http, local=local, **ground)
        task = asyncio.ensure_future((messages if name == _THROTTLE else ATTACKS[name])(place))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):
            await task
        print(json.dumps(dict(place.count)), flush=True)
        os._exit(0)  # thousands of half-open connections are not closed in order


def _share(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


async def _measure(name: str, target: Target, seconds: float) -> bool:
    assert target.secret is not None
    quiet = Target(target.url, target.secret, project=PROJECT).create_session("quiet", 20, policies=POLICIES)
    loud = target.create_session("attacked", 1_000, policies=POLICIES)
    tokens = [
        issue_token(target.secret, f"attacker-{number}", None, {target.project: Role.PREPARER}, 3600)
        for number in range(MEMBERS)
    ]
    ground = {"url": target.url, "tokens": tokens, "session_id": loud}
    async with Bystanders(target, quiet) as bystanders:
        await bystanders.work(1)
        before = await bystanders.work(seconds)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtest.attacks", "--attack", name, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(ground).encode() + b"\n")
        await process.stdout.readline()  # its people are there, and it begins
        try:
            await bystanders.work(1)
            during = await bystanders.work(seconds)
        except (TimeoutError, AssertionError, ConnectionError) as error:
            print(f"{name:<15} the bystander's service did not hold: {error!r}")
            process.kill()
            await process.wait()
            return False
        process.terminate()
        try:
            async with asyncio.timeout(5):
                done = (await process.stdout.read()).decode().strip()
        except TimeoutError:
            done = "?"
            process.kill()
        await process.wait()
    row = [_share(each.told, part) * 1000 for part in (0.5, 0.99) for each in (before, during)]
    held = row[3] <= (_FAIR if name == _THROTTLE else max(2 * row[2], _FLOOR))
    times = "".join(f"{value:>9.1f}" for value in [*row, _share(during.late, 0.99) * 1000])
    print(f"{name:<15}{times}  {'' if held else 'MORE  '}{done}", flush=True)
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.attacks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of: {', '.join(_NAMES)}; all if none is named")
    parser.add_argument("--seconds", type=float, default=6, help="measured before and during (default: %(default)s)")
    parser.add_argument("--attack", choices=_NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        asyncio.run(_attack(options.attack, json.loads(sys.stdin.readline())))
        return 0
    if unknown := set(options.attacks) - set(_NAMES):
        parser.error(f"there is no attack {', '.join(unknown)}")
    print(f"{'':<15}{'p50':>9}{'':>9}{'p99':>9}{'':>9}{'own':>9}")
    print(f"{'':<15}{'before':>9}{'during':>9}{'before':>9}{'during':>9}{'p99':>9}  what the attacker got")
    held = True
    server_cores, our_cores = cores()
    for name in options.attacks or _NAMES:
        os.sched_setaffinity(0, {*server_cores, *our_cores})
        with own_server(server_cores, _UNLIMITED if name == _THROTTLE else {}) as target:
            os.sched_setaffinity(0, our_cores)
            held &= asyncio.run(_measure(name, target, options.seconds))
    return 0 if held else 1


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
