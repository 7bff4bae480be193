"""The command line: `synap serve | warmup | check | dump | load | config | generate`.

This module is imported by `synap --help` and must stay cheap: each command imports its code when it runs. The exit
status is 0 for success, 1 after a failure with one line on standard error, and 2 for wrong arguments.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from synap.io.process.standard_streams import open_closed
from synap.settings import FILE, TABLE, Settings, SettingsError, explain, explain_table
from synap.settings import load as load_settings

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS = {row.flag: row for row in TABLE if row.flag}
_HELP = {"help_option_names": ["-h", "--help"]}
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


def _version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"synap {version('synap')}")
        except PackageNotFoundError:
            click.echo("synap (run from source, not installed)")
        context.exit()


_version_option = click.option("-V", "--version", is_flag=True, is_eager=True, expose_value=False,
                               callback=_version, help="Print the version.")


def _file_options(command: F) -> F:
    """Add the options for settings: --config and --set."""
    command = click.option("--set", "chosen", multiple=True, metavar="SECTION.KEY=VALUE",
                           help="Set any setting; may be repeated.")(command)
    return click.option("-c", "--config", metavar="FILE",
                        help=f"Settings file; by default {FILE}, if it exists.")(command)


def _row_options(command: F) -> F:
    """Add an option for each row of the settings table that has a flag."""
    for flag, row in reversed(_FLAGS.items()):
        told = f"{row.doc}{' May be repeated.' if row.many else ''} [default: {row.write(row.default)}]"
        command = click.option(flag, row.name.replace(".", "__"), metavar="VALUE", multiple=row.many,
                               help=told)(command)
    return command


def _settings(config: str | None, chosen: Iterable[str], rows: dict[str, Any]) -> Settings:
    """Return the settings of all layers; print the loader's warnings to standard error."""
    given = [(flag, rows.get(row.name.replace(".", "__"))) for flag, row in _FLAGS.items()]
    flags = [(flag, text) for flag, texts in given if texts is not None
             for text in (texts if isinstance(texts, tuple) else (texts,))]  # fmt: skip
    settings = load_settings(config, flags=[*flags, *(("--set", text) for text in chosen)])
    for warning in settings.warnings:
        click.echo(f"synap: warning: {warning}", err=True)
    return settings


@contextmanager
def _told() -> Iterator[None]:
    """Turn expected failures into one line for the user; other exceptions are bugs and keep their traceback."""
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        line = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, SettingsError) and error.from_flags:
            raise click.UsageError(line) from error
        if isinstance(error, OSError) or type(error).__module__.startswith("synap."):
            raise click.ClickException(line) from error
        raise


def _check_space(megabytes: int) -> None:
    """Raise NoAddressSpace if the limit of address space is too low, before kernels are imported."""
    from synap.io.node.limits import check

    check(megabytes << 20)


def _print(lines: Iterable[str] | None) -> None:
    for line in lines or ():
        click.echo(line)


class _Commands(click.Group):
    """The command group: help texts of commands in full lines, commands for developers in their own section."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the chosen command with descriptors 0 to 2 open, even if the caller closed some."""
        open_closed()
        return super().main(*args, **extra)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write two sections of commands."""
        for title, hidden in (("Commands", False), ("For developers", True)):
            rows = [(name, command.help or "") for name, command in self.commands.items() if command.hidden == hidden]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(context_settings=_HELP, cls=_Commands)
@_version_option
def main() -> None:
    """Key-value store, queues, streams and pub/sub in one process."""


@main.command(context_settings=_HELP)
@_file_options
@_row_options
@click.option("--health-check", is_flag=True, help="Query the health of the server that these settings "
              "describe, and exit with status 0 or 1. Starts no server. SYNAP_HEALTH_ADDR=HOST:PORT names another one.")
@_version_option
def serve(config: str | None, chosen: tuple[str, ...], health_check: bool, **rows: Any) -> None:
    """Run the server until a signal or a command stops it."""
    with _told():
        settings = _settings(config, chosen, rows)
        if health_check:
            from synap.cli.health import check as ask

            click.echo(ask(settings))
            return
        _check_space(settings.number("kv_store.max_memory_mb"))
        from synap.io.server.server import serve as run

        run(settings)


def serve_main() -> None:
    """Run `synap-server`, which is `synap serve`."""
    open_closed()
    serve(prog_name="synap-server")


@main.command()
@_file_options
@click.option("--costs", is_flag=True, help="Compile everything once more, without the cache, and print what each "
              "kernel costs. For developers.")
@click.option("--all-tiers", is_flag=True, help="Compile for the portable levels of processors, too: for an image "
              "that is built on one machine and runs on others.")
def warmup(config: str | None, chosen: tuple[str, ...], costs: bool, all_tiers: bool) -> None:
    """Compile all kernels ahead of time."""
    with _told():
        settings = _settings(config, chosen, {})
        if costs:
            from synap.io.node.jit_warmup import costs as table

            _print(table())
            return
        from synap.io.node.jit_warmup import warmup as run

        _print(run(settings))
        if all_tiers:
            from synap.io.node.jit_warmup import all_tiers as portable

            _print(portable())


@main.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def check(directory: Path, as_json: bool) -> None:
    """Verify the log and the snapshots in a data DIRECTORY, without changing any file."""
    with _told():
        from synap.io.node.data_tools import check as run

        _print(run(directory, as_json))


@main.command()
@click.argument("directory", type=_DIRECTORY)
def dump(directory: Path) -> None:
    """Print the contents of a data DIRECTORY."""
    with _told():
        _check_space(0)
        from synap.io.node.data_tools import dump as run

        _print(run(directory))


def _places(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[Path | None, Path]:
    """Return the DIRECTORY, if it is given, and the FILE, which must exist."""
    if not 1 <= len(given) <= 2:
        raise click.BadParameter("wanted FILE, or DIRECTORY and FILE", context, parameter)
    file: Path = click.Path(exists=True, dir_okay=False, path_type=Path).convert(given[-1], parameter, context)
    return Path(given[0]) if given[1:] else None, file


@main.command()
@click.argument("places", nargs=-1, metavar="[DIRECTORY] FILE", callback=_places)
def load(places: tuple[Path | None, Path]) -> None:
    """Fill a data DIRECTORY from a FILE: a dump.rdb of Redis, or what `synap dump` wrote.

    Without DIRECTORY it is the one that `synap serve` uses. It must be empty or missing, and no server may use it.
    """
    directory, file = places
    with _told():
        _check_space(0)
        from synap.io.node.data_tools import load as run

        _print(run(directory or Path(_settings(None, (), {}).text("persistence.directory")), file))


@main.command()
@click.option("--markdown", is_flag=True, help="Print the table of settings in docs/operations.md instead.")
def config(markdown: bool) -> None:
    """Print a complete config.yml with the default and a description of each setting."""
    click.echo(explain_table() if markdown else explain(), nl=False)


@main.command("generate", hidden=True)
def generate_files() -> None:
    """Regenerate doors, golden files and docs/commands.md from the command table, in a source tree."""
    with _told():
        from synap.cli.generate import ROOT, run

        _print(run(ROOT))
