"""`outlay cost`: what owning a system at a site costs, or what a plan costs, quarter by quarter."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.console import console as open_console
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, System
    from outlay.evidence import Figure
    from outlay.finance.ownership import Ownership, Place
    from outlay.finance.pricing import Priced
    from outlay.finance.terms import Published, Terms
    from outlay.finance.unit_costs import TokenCost


SERVED_WITHIN_S = (5.0, 0.05)
"""Targets tokens are priced at: seconds to the first token and for each after it."""


@click.command()
@click.argument("name", metavar="SYSTEM|PLAN")
@click.option("--at", "where", metavar="SITE", help="A site of the catalogue; makes NAME a system.")
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="Prices known on this day; today if not given.")
@click.option("--life", help="Years until it is sold, such as 5.")
@click.option("--pue", type=float, help="In place of the site's.")
@click.option("--energy", help="Price of energy in place of the site's, such as '0.08 USD/kWh'.")
@click.option("--hosting", help="Space is rented, at such as '120 USD/kW/month'.")
@click.option("--build", help="The building is the owner's, at such as '10 USD/W' of IT.")
@click.option("--price", help="Price of one system in place of the catalogue's, such as '300000 USD'.")
@click.option("--order", type=int, default=0, help="Chips of the order, for volume terms.")
@click.option(
    "--volume", multiple=True, metavar="CHIPS=SHARE", help="Share off from so many chips on, such as 5000=4%."
)
@click.option("--levy", multiple=True, metavar="NAME=SHARE", help="A tariff or fee on the price, such as tariff=25%.")
@click.option("--buyer", metavar="COUNTRY", help="Add the tariffs and revenue shares of the rules for this buyer.")
@click.option("--set", "given", multiple=True, metavar="TERM=VALUE", help="A term in place of the table's.")
@click.option("--serve", metavar="MODEL", help="Also the cost of a million tokens of this model.")
@click.option("--rates", metavar="IN/OUT", help="Tokens a second and chip you measured, prompts/answers, in its place.")
@click.option("--rent", help="Unit costs go by this rent in place of owning, such as '2 USD/chip/hour'.")
@click.option("--train", metavar="MODEL", help="Also the cost of training this model on --tokens with --chips.")
@click.option("--input", "input_tokens", default="2000", show_default=True, help="Tokens of a prompt.")
@click.option("--output", "output_tokens", default="500", show_default=True, help="Tokens of an answer.")
@click.option("--cached", default="0%", show_default=True, help="Share of a prompt found in the prefix cache.")
@click.option("--draft", default=0, show_default=True, help="Tokens that speculative decoding drafts a step.")
@click.option("--acceptance", help="Share of drafted tokens accepted; left out, what engines measured.")
@click.option("--engine", help="Serving engine; by default the one its family of chips is usually served with.")
@click.option("--tokens", default="15 trillion tokens", show_default=True, help="Tokens to train on.")
@click.option("--chips", type=int, default=8192, show_default=True, help="Chips to train on.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, where: str | None, as_json: bool, extra: Path | None, **options: Any) -> int:
    r"""Work out the total cost of owning SYSTEM at a site, or show the money of a PLAN by quarter and currency.

    A PLAN is a scenario, by file or bundled name, or the JSON that `outlay plan --json` wrote.

    \b
    outlay cost "DGX H100" --at Abilene
    outlay cost B200 --at Johor --hosting '110 USD/kW/month' --set server_life=4
    outlay cost H800 --at Datong --serve DeepSeek-V3 --cached 56% --draft 1 --acceptance 85%
    outlay cost H800 --at Datong --rent '2 USD/chip/hour' --rates 9212/1850 --input 3619 --output 1000
    outlay cost bytedance-2025
    """
    if where is None:
        from outlay.cli.cost_plan import cost_of_plan

        _refuse_idle(options)
        return cost_of_plan(name, as_json=as_json)
    answer = _cost_of_system(name, where, extra, options)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False)) if as_json else _print(answer)
    return 0


def _refuse_idle(options: dict[str, Any]) -> None:
    """Refuse options that say nothing of a plan."""
    context = click.get_current_context()
    given = [key for key in options if context.get_parameter_source(key) is not click.core.ParameterSource.DEFAULT]
    if given:
        msg = f"--{given[0].replace('_', '-')} is of a system; name its site with --at, or leave it out for a plan"
        raise InputError(msg)


def _cost_of_system(name: str, where: str, extra: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    from outlay.catalog import Catalog
    from outlay.finance.ownership import Machine, own, sensitivities
    from outlay.finance.pricing import system_power

    catalog = Catalog.load(extra)
    day = day_of(options)
    terms = terms_from(options["given"])
    system = catalog.resolve_system(name)
    place, notes, figures = place_from(catalog, where, terms, day, options)
    price = price_in_dollars(catalog, system, day, place.country, options["price"], notes)
    power = system_power(catalog, system)
    off = _off(options["order"], options["volume"])
    asked = levies(options["levy"]) | _of_rules(catalog, system, place.country, options["buyer"], day)
    machine = Machine(system.name, system.chips, float(power.value), price.amount, asked, off)
    life = None if options["life"] is None else _years(options["life"])
    owned = own(machine, place, terms, life=life)
    answer = _answer(catalog, system, owned, price, notes)
    moved = sensitivities(machine, place, terms, life=life, price=(price.low, price.high))
    answer["sensitivity"] = [asdict(each) for each in moved]
    answer["evidence"] = [_figure(what, figure) for what, figure in [*figures.items(), ("power of a system", power)]]
    answer["evidence"] += [_figure("price", figure) for figure in price.evidence]
    answer["terms"] = [
        _figure(term, found.figure) | {"low": found.low, "high": found.high}
        for term, region, found in terms.rows()
        if region in {"", place.country}
    ]
    hourly = owned.per_chip_hour if options["rent"] is None else _dollars(options["rent"], "chip*hour")
    if options["rates"] is not None:
        answer["tokens"] = _measured(hourly, options)
    elif options["serve"]:
        answer["tokens"] = _tokens(catalog, system, hourly, options)
    if options["train"]:
        answer["training"] = _training(catalog, system, hourly, options)
    return answer


def day_of(options: dict[str, Any]) -> date:
    """Return the day asked for, or today."""
    given: date | None = options["on"].date() if options["on"] else None
    return given or date.today()


def place_from(
    catalog: Catalog, where: str, terms: Terms, day: date, options: dict[str, Any]
) -> tuple[Place, list[str], dict[str, Figure]]:
    """Return the costs of a site of the catalogue, with what the options put in their place, notes and figures."""
    from outlay.finance.places import place_of
    from outlay.units import UnitPrice

    energy, hosting = options["energy"], options["hosting"]
    return place_of(
        catalog,
        catalog.site(where),
        terms,
        day,
        pue=options["pue"],
        energy=None if energy is None else UnitPrice.parse(energy, "kWh"),
        colocation=None if hosting is None else UnitPrice.parse(hosting, "kW*month"),
        build_cost=None if options.get("build") is None else _dollars(options["build"], "W"),
    )


def terms_from(given: tuple[str, ...]) -> Terms:
    """Return the terms with those the user set as ``NAME=VALUE``."""
    from outlay.finance.terms import load_terms
    from outlay.units import quantity

    values = {}
    for text in given:
        term, equals, value = text.partition("=")
        if not equals:
            msg = f"--set {text!r}: expected a term and its value, such as server_life=4 or cost_of_capital=9%"
            raise InputError(msg)
        values[term.strip()] = quantity(value, "")
    return load_terms().given(values)


def _of_rules(catalog: Catalog, system: System, country: str, buyer: str | None, day: date) -> dict[str, float]:
    """Return what the rules known on a day multiply the price by for a buyer who brings the system to a country."""
    if buyer is None:
        return {}
    from outlay.policy import Transaction, item_of, price_factors
    from outlay.units import country_code

    home = country_code(buyer)
    seller = catalog.chip(system.chip).vendor_country
    deal = Transaction(on=day, destination=country, buyer_hq=home, parent_hq=home, exporter=seller)
    found = price_factors(item_of(catalog.chip(system.chip)), deal, known_on=day)
    return {f"{one.kind} {one.rule}": one.multiplier() for one in found if one.applies_to == "hardware"}


def _off(order: int, volume: tuple[str, ...]) -> float:
    """Return the share off the price for an order of so many chips, from steps ``CHIPS=SHARE``."""
    from outlay.finance.ownership import volume_discount
    from outlay.units import quantity

    steps = []
    for text in volume:
        least, equals, share = text.partition("=")
        if not equals or not 0 <= quantity(share, "") < 1 or quantity(least, "") < 1:
            msg = f"--volume {text!r}: expected chips and a share off from 0% to below 100%, such as 5000=4%"
            raise InputError(msg)
        steps.append((int(quantity(least, "")), quantity(share, "")))
    if steps and order < 1:
        msg = "--volume: say how many chips are ordered, with --order"
        raise InputError(msg)
    return volume_discount(order, steps)


def levies(given: tuple[str, ...]) -> dict[str, float]:
    """Return what tariffs and fees multiply a price by, from ``NAME=SHARE``."""
    from outlay.units import quantity

    made = {}
    for text in given:
        levy, equals, share = text.partition("=")
        if not equals:
            msg = f"--levy {text!r}: expected a name and a share of the price, such as tariff=25%"
            raise InputError(msg)
        value = quantity(share, "")
        if value <= -1:
            msg = f"--levy {text!r}: a share below -100% would make the price negative"
            raise InputError(msg)
        made[levy.strip()] = 1 + value
    return made


def price_in_dollars(
    catalog: Catalog, system: System, day: date, country: str, given: str | None, notes: list[str]
) -> Priced:
    """Return the price of one system in US dollars: the one given, or the catalogue's for that market."""
    from dataclasses import replace

    from outlay.evidence import Figure, Source
    from outlay.finance.places import rate_near
    from outlay.finance.pricing import Priced, purchase_price
    from outlay.units import Money

    if given is not None:
        money = Money.parse(given)
        amount = float(money.amount)
        if not amount > 0:
            msg = f"--price {given!r}: expected more than zero"
            raise InputError(msg)
        figure = Figure(amount, money.currency, "assumed", Source("the user", ""))
        price = Priced(amount, amount, amount, money.currency, str(day), "given", (figure,))
    else:
        price = purchase_price(catalog, system, day, market="CN" if country == "CN" else "world")
        if price.after_knowledge:
            notes.append(f"the price was published only after {day}, on {price.date}; none was found from before")
    rate = rate_near(catalog, price.currency, day)
    notes.extend([rate.note] if rate.note else [])
    per = rate.per_dollar
    return replace(price, amount=price.amount / per, low=price.low / per, high=price.high / per, currency="USD")


def _dollars(text: str, unit: str) -> float:
    from outlay.units import UnitPrice

    price = UnitPrice.parse(text, unit)
    if price.currency != "USD" or price.amount <= 0:
        msg = f"{text!r}: expected more than zero US dollars per {unit}, such as 10 USD/{unit}"
        raise InputError(msg)
    return price.amount


def _years(text: str) -> float:
    from outlay.units import quantity

    try:
        return float(text)
    except ValueError:
        return quantity(text, "year")


def _answer(catalog: Catalog, system: System, owned: Ownership, price: Priced, notes: list[str]) -> dict[str, Any]:
    from outlay.finance.terms import published
    from outlay.finance.unit_costs import per_h100_hour

    chip = catalog.chip(system.chip)
    peak = chip.peak("bf16") or chip.peak("fp16")
    said = published(system.chip)
    quarters = len(owned.hours)
    return {
        "system": system.name,
        "chip": system.chip,
        "chips": system.chips,
        "site": owned.place.name,
        "country": owned.place.country,
        "currency": "USD",
        "price": price.amount,
        "price_low": price.low,
        "price_high": price.high,
        "price_basis": f"{price.basis}",
        "years": quarters / 4,
        "capital": owned.capital,
        "resale": owned.salvage,
        "present_cost": owned.present,
        "per_chip_hour": owned.per_chip_hour,
        "book_per_chip_hour": owned.book_per_chip_hour,
        "per_h100_hour": per_h100_hour(owned.per_chip_hour, peak) if peak else None,
        "components": [
            {"name": part.name, "booking": part.booking, "present": part.present, "per_chip_hour": part.per_chip_hour}
            for part in owned.components
        ],
        "cash_by_quarter": [round(float(amount), 2) for amount in owned.cash],
        "depreciation_by_quarter": [round(float(amount), 2) for amount in owned.depreciation],
        "published": [asdict(row) for row in said],
        "standing": _standing(owned.per_chip_hour, said),
        "notes": notes,
    }


def _standing(value: float, said: tuple[Published, ...]) -> str:
    """Return where a cost stands among the published ones, and why others lie below and above."""
    if not said:
        return "no published cost of owning this chip for an hour was read"
    low, high = min(row.low for row in said), max(row.high for row in said)
    inside = "within" if low <= value <= high else "below" if value < low else "above"
    below = [row for row in said if row.high < value]
    above = [row for row in said if row.low > value]
    words = f"{value:.2f} USD is {inside} the published {low:.2f} to {high:.2f} USD a chip-hour"
    if below:
        nearest = max(below, key=lambda row: row.high)
        words += f"; above {nearest.source.title} ({nearest.high:.2f}: {nearest.why})"
    if above:
        nearest = min(above, key=lambda row: row.low)
        words += f"; below {nearest.source.title} ({nearest.low:.2f}: {nearest.why})"
    return words


def _lengths(options: dict[str, Any]) -> list[float]:
    """Return the tokens of a prompt and of an answer."""
    from outlay.units import quantity

    lengths = [quantity(options[key], "") for key in ("input_tokens", "output_tokens")]
    if min(lengths) < 1:
        msg = "--input and --output: expected one token or more"
        raise InputError(msg)
    return lengths


def _measured(hourly: float, options: dict[str, Any]) -> dict[str, Any]:
    """Return the cost of tokens at rates a user measured on chips of their own for prompts and for answers."""
    from outlay.finance.unit_costs import pools
    from outlay.units import quantity

    asked, slash, answered = options["rates"].partition("/")
    if not slash:
        msg = f"--rates {options['rates']!r}: expected tokens a second and chip, prompts/answers, such as 9200/1850"
        raise InputError(msg)
    lengths = _lengths(options)
    cost = pools(hourly, quantity(asked, ""), quantity(answered, ""), lengths[0] / lengths[1])
    return _token_answer(options["serve"] or "measured rates", lengths, cost, basis="rates given")


def _token_answer(model: str, lengths: list[float], cost: TokenCost, **more: Any) -> dict[str, Any]:
    both = {f"per_million_{kind}": value for kind, value in asdict(cost).items()}
    return {"model": model, "input_tokens": lengths[0], "output_tokens": lengths[1], **both, **more}


def _tokens(catalog: Catalog, system: System, hourly: float, options: dict[str, Any]) -> dict[str, Any]:
    """Return the cost of tokens at the rates predicted for a model, a prompt at the time of a chip it takes."""
    from outlay.finance.unit_costs import shared
    from outlay.performance.serving.search import best_serving
    from outlay.report.serving import accepted, cached

    lengths = _lengths(options)
    model = catalog.model(options["serve"])
    found = best_serving(
        model,
        system,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        ttft_s=SERVED_WITHIN_S[0],
        tpot_s=SERVED_WITHIN_S[1],
        cached=cached(options["cached"]),
        drafts=options["draft"],
        acceptance=accepted(options["acceptance"]),
        software=options["engine"],
        pools=True,
        catalog=catalog,
    )
    requests = found.tokens_per_s_per_chip / sum(lengths)
    cost = shared(hourly, requests, 1 / found.reading_chip_s, lengths[0], lengths[1])
    return _token_answer(
        model.name,
        lengths,
        cost,
        low=cost.both / found.high,
        high=cost.both / found.low,
        tokens_per_s_per_chip=found.tokens_per_s_per_chip,
        strategy=found.strategy,
        basis=found.basis,
    )


def _training(catalog: Catalog, system: System, hourly: float, options: dict[str, Any]) -> dict[str, Any]:
    from outlay.finance.unit_costs import training_run
    from outlay.performance.search import best_training
    from outlay.planning.work import run_days
    from outlay.units import quantity

    model, chips = catalog.model(options["train"]), options["chips"]
    if chips < system.chips or chips % system.chips:
        msg = f"--chips {chips}: expected whole systems of {system.chips} chips"
        raise InputError(msg)
    tokens = quantity(options["tokens"], "token")
    found = best_training(model, system, chips, sequence=4096, catalog=catalog)
    days = run_days(found, tokens)
    return {
        "model": model.name,
        "tokens": tokens,
        "chips": chips,
        "days": days,
        "mfu": found.mfu,
        "cost": training_run(hourly, chips, days),
        "basis": found.basis,
    }


def _figure(what: str, figure: Any) -> dict[str, Any]:
    return {
        "what": what,
        "value": figure.value,
        "unit": figure.unit,
        "status": figure.status,
        "source": str(figure.source),
        "note": figure.note,
    }


def _print(answer: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from outlay.finance.money import exact

    console = open_console()
    title = f"{answer['system']} at {answer['site']}, {answer['country']}, over {answer['years']:g} years"
    console.print(Text(title, style="bold"))
    band = "" if answer["price_low"] == answer["price_high"] else " (middle of differing quotes)"
    console.print(
        Text(
            f"price {exact(answer['price'], 'USD')} a system of {answer['chips']} chips{band}: {answer['price_basis']}"
        )
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, side in (
        ("component", "left"),
        ("booked as", "left"),
        ("present value", "right"),
        ("USD/chip-hour", "right"),
    ):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for part in answer["components"]:
        table.add_row(part["name"], part["booking"], f"{part['present']:,.0f}", f"{part['per_chip_hour']:.3f}")
    table.add_row("total", "", f"{answer['present_cost']:,.0f}", f"{answer['per_chip_hour']:.3f}", style="bold")
    console.print(table)
    console.print(f"in the books, without cost of capital: {answer['book_per_chip_hour']:.3f} USD a chip-hour")
    if answer["per_h100_hour"] is not None:
        console.print(f"per H100-equivalent hour (dense bf16): {answer['per_h100_hour']:.3f} USD")
    table = Table(box=None, header_style="bold", pad_edge=False, title="what moves it most", title_justify="left")
    for column in ("", "low", "high", "USD/chip-hour at low", "at high"):
        table.add_column(column, justify="right" if column else "left")
    for each in answer["sensitivity"][:8]:
        ends = (f"{each[key]:,.4g}" for key in ("low", "high"))
        table.add_row(each["name"], *ends, f"{each['at_low']:.3f}", f"{each['at_high']:.3f}")
    console.print(table)
    for line in _unit_lines(answer):
        console.print(Text(line))
    console.print(Text(f"where this stands: {answer['standing']}"))
    for row in answer["published"]:
        span = f"{row['low']:.2f}" if row["low"] == row["high"] else f"{row['low']:.2f} to {row['high']:.2f}"
        console.print(Text(f"  {span} USD  {row['source']['title']} [{row['status']}]: {row['why']}", style="dim"))
    for note in answer["notes"]:
        console.print(Text(f"note: {note}", style="yellow"))


def _unit_lines(answer: dict[str, Any]) -> list[str]:
    """Return the cost of tokens and of a training run in words, where they were asked for."""
    from outlay.finance.money import exact, small

    lines = []
    if tokens := answer.get("tokens"):
        prompt, reply, both = (small(tokens[f"per_million_{kind}"], "USD") for kind in ("input", "output", "both"))
        mix = f"{tokens['model']}, {tokens['input_tokens']:g} + {tokens['output_tokens']:g} tokens"
        band = f" (band {tokens['low']:.3g} to {tokens['high']:.3g})" if "low" in tokens else ""
        lines.append(f"{mix}: {prompt} a million in, {reply} out, {both} in the mix{band}")
    if run := answer.get("training"):
        what = f"training {run['model']} on {run['tokens']:.3g} tokens with {run['chips']:,} chips"
        lines.append(f"{what}: {run['days']:,.0f} days, {exact(run['cost'], 'USD')}")
    return lines
