"""`cogyard verify contract`: whether a server keeps the API's reference, fact by fact."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cogyard.cli.client import find_token, find_url, trust
from cogyard.cli.terminal import CliError, Exit, Terminal

if TYPE_CHECKING:
    from rich.progress import Progress

    from cogyard.verify.check import Check, Finding
    from cogyard.verify.suite import Result

Reference = Annotated[str | None, typer.Option(metavar="OWNER/NAME:VERSION")]
Commands = dict[str, Callable[..., None]]
HERE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for."""

    url: str | None
    token: str | None
    only: Sequence[str] = ()
    models: dict[str, str | None] = field(default_factory=dict)


def verify_commands(options: Callable[[], tuple[Terminal, str | None, str | None]]) -> Commands:
    """`cogyard verify`; `options` gives the terminal and the global address and token."""

    def contract(  # noqa: PLR0913 - one parameter for each option
        address: Annotated[str | None, typer.Argument(metavar="URL", help="The server's address.")] = None,
        token: Annotated[str | None, typer.Option(help="An API token [COGYARD_TOKEN, REPLICATE_API_TOKEN].")] = None,
        only: Annotated[list[str] | None, typer.Option(help="Only checks of this name or pattern; repeatable.")] = None,
        show_list: Annotated[bool, typer.Option("--list", help="List the checks, and try none.")] = False,
        canary: Annotated[str | None, typer.Option(help="A model that streams `hello there, <text>`.")] = None,
        files: Annotated[str | None, typer.Option(help="A model that gives files.")] = None,
        train: Annotated[str | None, typer.Option(help="A model that can be trained.")] = None,
        official: Annotated[str | None, typer.Option(help="An official model with the input `text`.")] = None,
        receiver: Annotated[
            str | None, typer.Option(metavar="HOST:PORT", help="Where the server reaches this machine for webhooks.")
        ] = None,
    ) -> None:
        """Try whether a server keeps the API's reference, one check for each fact.

        The suite pushes small private models of its own, and deletes them again.

        On a server that takes no pushes, name models for it to use.
        """
        terminal, global_url, global_token = options()
        models = {"canary": canary, "files": files, "train": train, "official": official, "receiver": receiver}
        wanted = Wanted(address or global_url, token or global_token, only or (), models)
        if show_list:
            list_checks(terminal, wanted)
        elif not _run(terminal, wanted):
            raise typer.Exit(int(Exit.failed))

    return {"contract": contract}


def list_checks(terminal: Terminal, wanted: Wanted) -> None:
    """What would be tried."""
    checks = _selected(wanted)
    if terminal.as_json:
        terminal.document([{"name": one.name, "section": one.section, "fact": one.fact} for one in checks])
    else:
        terminal.table(("check", "section", "fact"), ((one.name, one.section, one.fact) for one in checks))


def _run(terminal: Terminal, wanted: Wanted) -> bool:
    try:
        return asyncio.run(run_contract(terminal, wanted))
    except asyncio.CancelledError:  # a SIGTERM ends it as Ctrl-C does
        raise KeyboardInterrupt from None


async def run_contract(terminal: Terminal, wanted: Wanted) -> bool:
    """Try the checks and show what was found; whether all is well. Raises `CliError` when none can be tried."""
    from cogyard.verify.lab import Named
    from cogyard.verify.suite import NoEntry, NoServer, Target, verify

    checks, url = _selected(wanted), find_url(wanted.url)
    target = Target(url=url, token=_token(url, wanted.token), trust=trust(), named=Named(**wanted.models))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop(asyncio.current_task()))
    terminal.say(f"trying {len(checks)} checks at {url}")
    try:
        with _progress(terminal) as progress:
            bar = progress.add_task("checks", total=len(checks))
            result = await verify(target, checks, lambda _: progress.advance(bar))
    except NoServer as error:
        raise CliError(f"No server answers at {url}: {error}", Exit.server) from None
    except NoEntry:
        raise CliError(f"{url} does not take this token.", Exit.not_allowed, "Unauthenticated") from None
    if terminal.as_json:
        terminal.document(result.as_json(url))
    else:
        _show(terminal, result)
    return result.count("failed") == 0


def _selected(wanted: Wanted) -> "list[Check]":
    from cogyard.verify.runner import select
    from cogyard.verify.suite import CHECKS

    checks = select(CHECKS, wanted.only)
    if not checks:
        raise CliError(f"No check is called {' or '.join(wanted.only)}; see them all with --list.", Exit.usage)
    return checks


def _token(url: str, given: str | None) -> str:
    """The token to use. That of this machine's own server goes to no other machine."""
    named = given or os.environ.get("COGYARD_TOKEN") or os.environ.get("REPLICATE_API_TOKEN")
    if not named and urlsplit(url).hostname not in HERE:
        raise CliError("There is no token. Pass --token, or set COGYARD_TOKEN.", Exit.not_allowed, "Unauthenticated")
    return find_token(given)


def _stop(task: "asyncio.Task[object] | None") -> Callable[[], None]:
    def stop() -> None:
        if task is not None:
            task.cancel()

    return stop


def _progress(terminal: Terminal) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, no_color=not terminal.color),
        disable=not terminal.is_interactive,
        transient=True,
    )


def _show(terminal: Terminal, result: "Result") -> None:
    """Failures by group, then why checks were skipped, what stays, and the sum."""
    groups: dict[str, list[Finding]] = {}
    for finding in result.findings:
        groups.setdefault(finding.check.name.partition(".")[0], []).append(finding)
    for name, findings in groups.items():
        counts = Counter(finding.result for finding in findings)
        told = ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped") if counts[kind])
        terminal.result(f"{name}: {told}")
        for finding in findings:
            if finding.result == "failed":
                check = finding.check
                terminal.result(f"  FAILED {check.name} ({check.section}) {check.fact} {finding.detail}")
    reasons = Counter(finding.detail for finding in result.findings if finding.result == "skipped")
    for reason, count in reasons.items():
        terminal.result(f"skipped {count}: {reason}")
    for sentence in result.left:
        terminal.say(f"left behind: {sentence}")
    counts = Counter(finding.result for finding in result.findings)
    terminal.result(
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped in {result.seconds:.0f} s"
    )
