"""`outlay calibrate`: fits efficiency curves, slowdowns and bands again from the measurements in the package."""

from __future__ import annotations

from pathlib import Path

import click

from outlay.errors import InputError


@click.command()
@click.option("--out", metavar="FOLDER", help="Write the data files there instead of into the package.")
@click.option(
    "--kernels-only", is_flag=True, help="Fit kernels and links only, which takes seconds rather than minutes."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def command(out: str | None, kernels_only: bool, quiet: bool) -> int:
    """Fit the efficiency curves again from the measured kernels, and the rest from the published runs."""
    import outlay.performance
    from outlay.performance import calibration

    folder = Path(out) if out else Path(next(iter(outlay.performance.__path__))) / "data"
    if not folder.is_dir():
        msg = f"--out {str(folder)!r} is not a folder"
        raise InputError(msg)
    say = _silent if quiet else _say
    written = [*calibration.calibrate(folder, say, kernels_only=kernels_only)]
    if not kernels_only:
        from outlay.catalog import Catalog
        from outlay.performance import envelope
        from outlay.performance.serving import calibration as serving_calibration

        written.append(envelope.write(folder))
        written += serving_calibration.calibrate(folder, Catalog.load(), say)
    for path in written:
        click.echo(f"wrote {path}")
    return 0


def _say(text: str) -> None:
    click.echo(f"fitting {text}", err=True)


def _silent(text: str) -> None:
    del text
