"""The door: arguments and environment in, an exit code out. Every ending of a command becomes a Report here, once.

`oss-backup backup --path data --bucket …` from a shell; without arguments, as in the action's run step, the command
is the one that the settings name.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backup_action import __version__, settings
from backup_action.core.problem import EXIT_CODES, Kind, Problem, Status, Stop
from backup_action.settings import SORTS, TABLE, Raw, Settings

if TYPE_CHECKING:  # at run time they are imported when a command runs: `--help` must not wait for them
    from backup_action.core.report import Draft
    from backup_action.interruption import Interruption
    from backup_action.publish import Audience

COMMANDS: Mapping[str, str] = {
    "backup": "Back paths up to the bucket.",
    "merge": "Make one snapshot of what the shards of a run backed up.",
    "restore": "Restore a snapshot, or parts of it, to a folder.",
    "snapshots": "List snapshots, show one, compare two, or find a path in all.",
    "verify": "Prove that the bucket has what the snapshots name.",
    "drill": "Restore a sample to a scratch folder and prove it.",
    "prune": "Remove old snapshots, and what only they named.",
    "notify": "Tell DingTalk of a run, from its report file.",
}


def taken_by(command: str) -> list[str]:
    """The settings that a command takes as flags, in the order of the table."""
    return [name for name, row in TABLE.items() if command in row.verbs and name != "command" and not row.set_up]


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Runs one command line; gives the exit code."""
    if not arguments and any(environ.get(name) is not None for name in ("INPUT_COMMAND", "OSS_BACKUP_COMMAND")):
        return _chosen(environ)
    if not arguments:
        click.echo(_group(environ).get_help(click.Context(_group(environ), info_name="oss-backup")), err=True)
        return EXIT_CODES[Status.USAGE]
    try:
        return int(_group(environ).main(list(arguments), "oss-backup", standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _wrong(arguments, environ, error)


def _wrong(arguments: Sequence[str], environ: Mapping[str, str], error: click.ClickException) -> int:
    """Tells of a command line that cannot be read. It is never repeated: it may hold a secret."""
    command = arguments[0] if arguments[0] in COMMANDS else "backup"
    known: dict[str, Raw] = {}
    for name, value in itertools.pairwise([*arguments, ""]):
        if name == "--language" or name.startswith("--language="):
            known["language"] = name.partition("=")[2] or value
    extra = "unexpected extra argument" in error.format_message()
    first = arguments[0].partition("=")[0]
    cause = "word" if extra else "order" if first in map(settings.flag, TABLE) else ""
    reason = "a word too many" if extra else error.format_message()
    stop = Stop(Kind.COMMAND_LINE, "oss-backup", reason=reason, cause=cause)
    return conduct(command, known, environ, stop)


def _chosen(environ: Mapping[str, str]) -> int:
    """The command that the settings name."""
    try:
        command = settings.gather({}, environ).command
    except Stop as stop:
        return conduct("backup", {}, environ, stop)
    return conduct(command, {}, environ)


def _group(environ: Mapping[str, str]) -> click.Group:
    group = click.Group("oss-backup", help="Verified, incremental backup to Alibaba Cloud OSS, with no stored key.")
    group.params.append(_version())
    for name, text in COMMANDS.items():
        group.add_command(_command(name, text, environ))
    sandbox = click.Command("sandbox", help="Serve stand-ins for GitHub, STS, OSS and DingTalk on loopback.")
    group.add_command(sandbox)
    return group


def _version() -> click.Option:
    def show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            click.echo(__version__)
            context.exit()

    return click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show it.")


def _command(name: str, text: str, environ: Mapping[str, str]) -> click.Command:
    def run(**flags: Any) -> int:
        given = {settings_name(flag): _raw(value) for flag, value in flags.items() if value not in (None, ())}
        return conduct(name, given, environ)

    options: list[click.Parameter] = [_option(setting) for setting in taken_by(name)]
    return click.Command(name, callback=run, params=options, help=text)


def settings_name(parameter: str) -> str:
    """The setting behind one of click's parameter names."""
    return parameter.replace("_", "-")


def _option(name: str) -> click.Option:
    names = [settings.flag(name), name.replace("-", "_")]
    sort, help = SORTS[name], TABLE[name].help
    if sort == "switch":
        return click.Option([f"{names[0]}/--no-{name}", names[1]], default=None, help=help)
    return click.Option(names, help=help, multiple=sort == "list", metavar="NUMBER" if sort == "number" else "TEXT")


def _raw(value: object) -> Raw:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def conduct(command: str, flags: Mapping[str, Raw], environ: Mapping[str, str], stop: Stop | None = None) -> int:
    """Runs a command and publishes how it ended, whatever that was. `stop` is what went wrong before."""
    from backup_action import publish
    from backup_action.adapters import github
    from backup_action.core.report import Draft
    from backup_action.interruption import Interruption

    draft = Draft(command, __version__, time.time(), run=github.run_of(environ, socket.gethostname()))
    interruption = Interruption(draft)
    audience = _audience(flags, environ, interruption)
    try:
        if stop is not None:
            raise stop
        chosen = settings.gather(flags, environ)
        settings.require(chosen, command)
        audience = _run(command, chosen, environ, draft, audience, interruption)
    except Stop as error:
        draft.tell(error.problem)
    except KeyboardInterrupt:
        draft.interrupt(draft.signal or signal.SIGINT)
    except Exception as error:  # a bug is an ending too: told like any other, without values in its text
        draft.tell(Problem(Kind.BUG, _place(error)))
    interruption.telling()
    _keep(draft, flags, environ)
    secrets = (*audience.secrets, *filter(None, draft.secrets))
    audience = dataclasses.replace(audience, secrets=secrets, page=draft.page)
    return publish.publish(draft.finish(time.time()), audience).exit_code


def _keep(draft: Draft, flags: Mapping[str, Raw], environ: Mapping[str, str]) -> None:
    """Has the host keep how the run ended, where no ledger has it: the next run that reaches the bucket adds it."""
    if draft.is_recorded or draft.command == "notify":
        return
    from backup_action import access

    access.keep(draft, settings.lenient(flags, environ), environ)


def _audience(flags: Mapping[str, Raw], environ: Mapping[str, str], interruption: Interruption) -> Audience:
    """Who is told, as far as the settings can be read: a malformed bucket must not keep DingTalk from hearing of it."""
    from backup_action.adapters import way
    from backup_action.publish import Audience

    told = settings.lenient(flags, environ)
    stored = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    return Audience(
        environ,
        told.language,
        told.dingtalk_webhook,
        told.dingtalk_secret,
        told.dingtalk_keyword,
        told.dingtalk_at,
        told.notify_on,
        (
            *(environ[name] for name in stored if environ.get(name)),
            *way.secrets_of(told.proxy),
            *filter(None, (told.passphrase,)),
        ),
        way.Way(told.proxy, told.ca_bundle),
        hurry=interruption.hurry,
    )


def _run(
    command: str, chosen: Settings, environ: Mapping[str, str], draft: Draft, audience: Audience,
    interruption: Interruption,
) -> Audience:  # fmt: skip
    """Runs the command; gives who is to be told of how it ended."""
    if command == "notify":
        from backup_action.commands.notify import notify

        return notify(chosen.report, draft, audience)
    import asyncio
    import importlib

    from backup_action.adapters import memory

    memory.keep_freed()
    verb = importlib.import_module(f"backup_action.commands.{command}").run
    memory.spare_loaded()
    asyncio.run(interruption.run(verb(chosen, environ, draft, interruption.stopped.is_set)))
    return audience


def _place(error: BaseException) -> str:
    """The type of an unexpected error and where it was raised; not its text, which may hold anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__} {at}".strip()
