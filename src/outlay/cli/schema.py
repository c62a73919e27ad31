"""`outlay schema`: prints the JSON schema of scenario files or of plans, generated from the code."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("what", type=click.Choice(["scenario", "plan"]))
def command(what: str) -> None:
    """Print the JSON schema of scenario files, for editors, or of plans as `outlay plan --json` writes them."""
    if what == "scenario":
        from outlay.scenario.schema import json_schema
    else:
        from outlay.report.document import json_schema
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
