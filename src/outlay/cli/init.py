"""`outlay init`: writes a commented scenario to start from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from outlay.errors import InputError


@click.command()
@click.argument("file", default="scenario.yaml", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="NAME", help="Start from a bundled scenario instead of the small template.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def command(file: Path, source: str | None, force: bool) -> None:
    """Write a commented scenario to FILE (scenario.yaml by default)."""
    from outlay.errors import unknown
    from outlay.scenario.load import bundled, bundled_text

    if source is not None and source not in bundled():
        raise InputError(unknown("bundled scenario", source, bundled()))
    if file.exists() and not force:
        msg = f"{file} is there already; name another file, or overwrite it with --force"
        raise InputError(msg)
    text = (
        bundled_text(source)
        if source is not None
        else resources.files("outlay.scenario").joinpath("template.yaml").read_text(encoding="utf-8")
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}"
        raise InputError(msg) from None
    click.echo(f"wrote {file}; plan it with: outlay plan {file}")
