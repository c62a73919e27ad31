"""`outlay roofline`: what a chip can do at most, and what the operations of a model reach of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.argument("chips", nargs=-1, required=True, metavar="CHIP...")
@click.option("--dtype", default="bf16", show_default=True, metavar="TYPE", help="Type of the numbers.")
@click.option("--model", default="DeepSeek-V3", show_default=True, metavar="MODEL", help="Whose operations.")
@click.option("--tokens", default="4096", show_default=True, help="Tokens that pass at once.")
@click.option("--decode", is_flag=True, help="Each token belongs to another request and attends to its cache.")
@click.option("--context", default="4096", show_default=True, help="Tokens in the cache of a request, with --decode.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    chips: tuple[str, ...],
    dtype: str,
    model: str,
    tokens: str,
    decode: bool,
    context: str,
    extra: Path | None,
    as_json: bool,
) -> int:
    """Show the roofline of each CHIP, by its figures and by measured kernels, with a model's operations under it."""
    from outlay.catalog import Catalog
    from outlay.performance.chip import chip_model
    from outlay.performance.roofline import operations, roofline
    from outlay.performance.transformer import architecture
    from outlay.units import quantity

    catalog = Catalog.load(extra)
    arch = architecture(catalog.model(model))
    size = {"tokens": float(quantity(tokens, "")), "context": float(quantity(context, ""))}
    found = []
    for name in chips:
        chip = chip_model(catalog.chip(name))
        ceiling = roofline(chip, dtype)
        found.append((ceiling, operations(chip, arch, dtype=dtype, decode=decode, **size)))
    if as_json:
        rows = [
            {
                **asdict(ceiling),
                "ridge": ceiling.ridge,
                "operations": [{**asdict(one), "intensity": one.intensity, "rate": one.rate} for one in of],
            }
            for ceiling, of in found
        ]
        click.echo(json.dumps({"schema": 1, "model": arch.name, "chips": rows}, indent=2))
        return 0
    for ceiling, of in found:
        click.secho(f"{ceiling.chip}, {ceiling.dtype}", bold=True)
        click.echo(
            f"  by its figures {ceiling.peak / 1e12:,.0f} TFLOP/s and {ceiling.bandwidth / 1e12:.3g} TB/s; by measured "
            f"kernels {ceiling.best_peak / 1e12:,.0f} and {ceiling.best_bandwidth / 1e12:.3g} (kernels "
            f"{ceiling.provenance}); compute binds from {ceiling.ridge:,.0f} FLOP a byte on"
        )
        for one in of:
            share = one.rate / ceiling.attainable(one.intensity)
            click.echo(
                f"  {one.name:18} {one.shape:34} {one.intensity:10,.3g} FLOP/byte {one.rate / 1e12:8,.4g} TFLOP/s "
                f"{share:6.0%} of what the figures allow"
            )
        for note in ceiling.notes:
            click.echo(f"  note: {note}")
    return 0
