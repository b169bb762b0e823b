"""``python -m loadtest [SCENARIO]``: load a server, see what it does, and check what it should do.

Without an address it starts a server of its own with an embedded MongoDB. Exit codes: 0 well, 1 something was wrong or
a checked metric was missed, 2 wrongly called.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from loadtest import checks, progress
from loadtest.controller import Generator, verify
from loadtest.report import write_report
from loadtest.results import Result
from loadtest.scenarios import SCENARIOS, Scenario
from loadtest.spec import WorkerSpec
from loadtest.target import Target, TargetError, end_in_order, is_local, own_server


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<16} {scenario.summary}" for name, scenario in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m loadtest",
        description=__doc__,
        epilog=f"scenarios:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="?", default="mixed", choices=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--url", help="http(s) address of a deployment; without it a server of its own is started")
    parser.add_argument("--tokens", type=Path, help="file with a token a line: an admin's, then one per connection")
    parser.add_argument("--project", default="loadtest", help="project of the tokens (default: %(default)s)")
    parser.add_argument("--insecure", action="store_true", help="do not verify the deployment's certificate")
    parser.add_argument(
        "--remote", action="count", default=0, help="the host is not this machine, and may be loaded: say it twice"
    )
    parser.add_argument("--seconds", type=float, default=30, help="length of the measured part (default: %(default)s)")
    parser.add_argument("--warm", type=float, default=5, help="seconds before it (default: %(default)s)")
    parser.add_argument("--clients", type=int, help="connections")
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--records", type=int, help="records of each session")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of all rates")
    parser.add_argument("--rate", action="append", default=[], metavar="ACTION=PER_SECOND", help="set one rate")
    parser.add_argument("--processes", type=int, default=0, help="generating processes (default: one per two cores)")
    parser.add_argument("--server-core", type=int, action="append", default=[], help="pin the own server here")
    parser.add_argument("--generator-core", type=int, action="append", default=[], help="pin the generator here")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--html", type=Path, help="write a report with charts here")
    parser.add_argument("--check", action="store_true", help="hold the run to the success metrics")
    return parser


def _rates(scenario: Scenario, options: argparse.Namespace) -> dict[str, float]:
    rates = {name: rate * options.scale for name, rate in scenario.rates.items()}
    for given in options.rate:
        name, _, number = given.partition("=")
        if name not in {action for each in SCENARIOS.values() for action in each.rates}:
            raise TargetError(f"--rate {given}: there is no action {name!r}")
        try:
            rates[name] = float(number)
        except ValueError:
            raise TargetError(f"--rate {given}: {number!r} is no number") from None
    return {name: rate for name, rate in rates.items() if rate > 0}


@contextmanager
def _target(options: argparse.Namespace, seats: int) -> Iterator[tuple[Target, str | None]]:
    """What is loaded, and an administrator's token where it was given."""
    if options.url is None:
        settings = {"COLLABORATION_MAX_USERS": str(max(50, seats)), "WS_MAX_CONNECTIONS": "20000"}
        with own_server(options.server_core, settings) as target:
            yield target, None
        return
    url = options.url.rstrip("/")
    if not is_local(url) and options.remote < 2:
        raise TargetError(
            f"{url} is not this machine. A load test looks like an attack to whoever runs it: "
            "if it is yours to load, say --remote --remote"
        )
    tokens = options.tokens.read_text().split() if options.tokens else []
    secret = os.environ.get("AUTH_JWT_SECRET", "").encode() or None
    yield Target(url, secret, tokens[1:], options.project, options.insecure), tokens[0] if tokens else None


async def run(scenario: Scenario, options: argparse.Namespace, console: Console) -> Result:
    """One run against the target that the options name."""
    clients, sessions = options.clients or scenario.clients, options.sessions or scenario.sessions
    seats = -(-clients // sessions)
    records = options.records or max(scenario.records, 10 + seats)
    processes = options.processes or max(1, (os.cpu_count() or 2) // 2)
    with _target(options, seats) as (target, admin):
        ids = [target.create_session(f"load test {n}", records, admin) for n in range(sessions)]
        length = options.warm + options.seconds
        spec = WorkerSpec(
            url=target.websocket_url,
            sessions=ids,
            tokens=[target.token(number, number // sessions) for number in range(clients)],
            rates=_rates(scenario, options),
            records=records,
            seats=seats,
            seconds=length,
            warm=options.warm,
            shape=scenario.shape,
            connect_over=scenario.connect_over * max(1.0, clients / 1_000),
            slow=scenario.slow,
            storms=[options.warm + share * options.seconds for share in scenario.storms],
            spread_addresses=is_local(target.url),
            insecure=options.insecure,
        )
        result = Result(scenario.name, options.warm, options=_plain(options, spec, processes))
        with Live(progress.live(result, length), console=console, transient=True, refresh_per_second=4) as screen:
            show = lambda result: screen.update(progress.live(result, length))  # noqa: E731
            async with Generator(spec, processes, options.generator_core, result, target.pids, show) as generator:
                await generator.connected()
                await generator.start()
                await generator.seconds(length)
                seen = await generator.stop()
        verify(result, seen, {session_id: target.last_seq(session_id, admin) for session_id in ids})
        return result


def _plain(options: argparse.Namespace, spec: WorkerSpec, processes: int) -> dict[str, Any]:
    """The options as the result keeps them; no tokens, no secrets."""
    return {
        "own_server": options.url is None,
        "clients": len(spec.tokens),
        "sessions": len(spec.sessions),
        "records": spec.records,
        "rates": dict(spec.rates),
        "shape": spec.shape,
        "seconds": options.seconds,
        "warm": options.warm,
        "processes": processes,
        "server_cores": options.server_core,
        "generator_cores": options.generator_core,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    scenario = SCENARIOS[options.scenario]
    console = Console()
    try:
        result = asyncio.run(run(scenario, options, console))
    except TargetError as error:
        print(f"loadtest: {error}", file=sys.stderr)
        return 2
    found = checks.correctness(result, scenario)
    if options.check:
        found += checks.success(result, scenario)
    warnings = checks.warnings(result)
    progress.final(console, result, found, warnings)
    if options.json:
        options.json.write_text(json.dumps(result.to_json()))
    if options.html:
        write_report(options.html, result, found, warnings)
    return 0 if all(check.met for check in found) else 1


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
