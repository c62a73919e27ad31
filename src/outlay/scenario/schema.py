"""What a scenario says: typed, with units and currencies as people write them; the JSON schema comes from here."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema

from outlay.errors import UnitError
from outlay.evidence import Status
from outlay.units import Money, Quarter, UnitPrice, country_code, currency_code, quantity


class _Text:
    """Adapts a parser of text to pydantic: strings and numbers in, the parsed value inside, text out."""

    def __init__(self, parse: Any, example: str, description: str) -> None:
        self.parse, self.example, self.description = parse, example, description

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        def validate(value: Any) -> Any:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                if isinstance(value, Money | Quarter | UnitPrice | date):
                    return value
                msg = f"expected text such as {self.example!r}"
                raise ValueError(msg)  # not TypeError: the validator collects this one with its place
            try:
                return self.parse(value)
            except UnitError as error:
                raise ValueError(str(error)) from None

        exact = core_schema.plain_serializer_function_ser_schema(_exact)
        return core_schema.no_info_plain_validator_function(validate, serialization=exact)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": ["string", "number"], "description": self.description, "examples": [self.example]}


def _exact(value: Any) -> str:
    """Return a value as text to the last digit, where people are shown three."""
    return f"{value.amount} {value.currency}" if isinstance(value, Money) else str(value)


def _positive(unit: str, *, zero: bool = False) -> Any:
    def parse(text: Any) -> float:
        value = quantity(text, unit)
        if value < 0 or (value == 0 and not zero):
            msg = f"{text!r} must be {'zero or more' if zero else 'more than zero'}"
            raise UnitError(msg)
        return value

    return parse


def _power(text: Any) -> float:
    watts = _positive("W")(text)
    if watts < 1:
        msg = f"{text!r} is {watts:g} W; a megawatt is written MW"
        raise UnitError(msg)
    return float(watts)


def _share(text: Any) -> float:
    value = quantity(text, "")
    if not 0 <= value <= 1:
        msg = f"{text!r} is not a share; expected 0% to 100%"
        raise UnitError(msg)
    return value


def _money(text: Any) -> Money:
    money = Money.parse(text)
    if money.amount <= 0:
        msg = f"{text!r} must be more than zero"
        raise UnitError(msg)
    return money


def _unit_price(per: str) -> Any:
    def parse(text: Any) -> UnitPrice:
        price = UnitPrice.parse(text, per)
        if price.amount < 0:
            msg = f"{text!r} must be zero or more"
            raise UnitError(msg)
        return price

    return parse


def _day(text: Any) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        msg = f"{text!r} is not a day; expected year, month and day, such as 2025-01-22"
        raise UnitError(msg) from None


def _whole(text: Any) -> int:
    value = quantity(text, "")
    if value != int(value) or value < 1:
        msg = f"{text!r} is not a whole number of one or more"
        raise UnitError(msg)
    return int(value)


Amount = Annotated[Money, _Text(_money, "40 billion CNY", "An amount of money: number, scale and ISO 4217 currency.")]
QuarterText = Annotated[Quarter, _Text(Quarter.parse, "2025Q1", "A calendar quarter.")]
Share = Annotated[float, _Text(_share, "60%", "A share between 0% and 100%.")]
Power = Annotated[float, _Text(_power, "30 MW", "Electric power.")]
Seconds = Annotated[float, _Text(_positive("s"), "1 s", "A time.")]
Tokens = Annotated[float, _Text(_positive("token"), "15 trillion tokens", "A number of tokens.")]
TokenRate = Annotated[float, _Text(_positive("token/s", zero=True), "12 trillion tokens/day", "Tokens over time.")]
Count = Annotated[int, _Text(_whole, "1024", "A whole number of one or more.")]
Units = Annotated[float, _Text(_positive("", zero=True), "20000", "A number of units.")]
Factor = Annotated[float, _Text(_positive(""), "1.25", "A number above zero.")]
PriceOfTokens = Annotated[UnitPrice, _Text(_unit_price("token"), "2 CNY/million tokens", "A price per tokens.")]
PriceOfEnergy = Annotated[UnitPrice, _Text(_unit_price("kWh"), "0.36 CNY/kWh", "A price of electricity.")]
PriceOfHosting = Annotated[UnitPrice, _Text(_unit_price("kW*month"), "120 USD/kW/month", "Rent of space and power.")]
PriceOfBuilding = Annotated[UnitPrice, _Text(_unit_price("W"), "10 USD/W", "Building and power plant per W of IT.")]
PriceOfChipHour = Annotated[UnitPrice, _Text(_unit_price("chip*hour"), "2.20 USD/chip/hour", "Rent of a chip.")]
ExchangeRate = Annotated[float, _Text(_positive(""), "7.27", "Units of the currency per US dollar.")]
Country = Annotated[str, BeforeValidator(lambda text: _as_value_error(country_code, text)), Field(examples=["US"])]
Currency = Annotated[str, BeforeValidator(lambda text: _as_value_error(currency_code, text)), Field(examples=["USD"])]
Name = Annotated[str, Field(min_length=1)]
Written = Annotated[str, BeforeValidator(lambda text: text if isinstance(text, str) else str(text))]
"""Text that YAML may have read as a date or a number."""
Day = Annotated[date, _Text(_day, "2025-01-22", "A day.")]


def _each_once(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Refuse keys that are written differently and mean the same."""
    found = read(given)
    if isinstance(found, dict) and len(found) < len(given):
        msg = f"one of {', '.join(map(str, given))} is given twice"
        raise ValueError(msg)
    return found


def _quarters_once(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Refuse a quarter given twice, and a table without quarters."""
    if given == {}:
        msg = "expected at least one quarter, such as {2025Q1: ...}"
        raise ValueError(msg)
    return _each_once(given, read)


def _as_value_error(parse: Any, text: Any) -> Any:
    try:
        return parse(str(text))
    except UnitError as error:
        raise ValueError(str(error)) from None


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Evidence(_Block):
    """Where a value of the scenario comes from."""

    status: Status = Field(description="How sure the value is; `assumed` needs a reason.")
    by: str = Field(default="", description="Who says so, through whom.")
    denied_by: str = Field(default="", description="Who denies it, in what words.")
    date: Written = Field(default="", description="When it was said.")
    address: str = Field(default="", description="Where it can be read.")
    reason: str = Field(default="", description="Why an assumed value is what it is.")
    claim: str = Field(default="", description="Name of the claim it was read from; `outlay plan --claim` goes by it.")
    quote: str = Field(default="", description="The sentence that claims it.")


class _Sourced(_Block):
    evidence: dict[str, Evidence] = Field(
        default_factory=dict, description="Evidence by field of this block; `*` stands for the whole block."
    )


class Horizon(_Block):
    """The quarters planned."""

    start: QuarterText
    quarters: int = Field(strict=True, ge=1, le=40)

    @property
    def all(self) -> tuple[Quarter, ...]:
        """Every quarter, in order."""
        return tuple(self.start + offset for offset in range(self.quarters))


class Buyer(_Sourced):
    """Who buys."""

    name: Name
    headquarters: Country
    parent: Country = Field(description="Headquarters of the ultimate parent.")
    state_funded: bool = False


class Selection(_Block):
    """Which things a limit speaks of; an empty list leaves a criterion out."""

    countries: list[Country] = Field(default_factory=list, description="Countries of the sites.")
    sites: list[str] = Field(default_factory=list, description="Sites by name.")
    vendors: list[str] = Field(default_factory=list, description="Vendors by name.")
    vendor_countries: list[Country] = Field(default_factory=list, description="Headquarters of the vendors.")
    chips: list[str] = Field(default_factory=list, description="Chips by name.")
    not_countries: list[Country] = Field(default_factory=list, description="Countries of sites left out.")


class Budget(_Sourced):
    """Money that may be spent on some things, in some places, at some time."""

    name: Name
    amount: Amount
    pays_for: list[Literal["buy", "lease", "hosting", "energy", "upkeep"]] = Field(min_length=1)
    books: list[Literal["capital", "operating"]] = Field(
        default_factory=lambda: ["capital", "operating"],  # type: ignore[arg-type]
        min_length=1,
        description="Orders it covers by how they are booked: machines bought or on a finance lease are capital.",
    )
    where: Selection = Field(default_factory=Selection)
    first: QuarterText | None = Field(default=None, description="First quarter it may be spent in.")
    last: QuarterText | None = Field(default=None, description="Last quarter it may be spent in.")
    spend_at_least: Share = Field(default=0.0, description="Share of it that must be spent; 0% leaves it free.")


class Sourcing(_Sourced):
    """A share of something that must come from some vendors."""

    name: Name
    share: Share
    kind: Literal["floor", "exact"]
    base: Literal["budget-value", "all-value", "chips", "compute"] = Field(
        description="Share of what: the value of one budget, the value of all purchases and leases, chips, or compute."
    )
    budget: str | None = Field(
        default=None, description="The budget, for base budget-value; else limits the base to it."
    )
    of: Selection = Field(description="What counts towards the share, for example vendor_countries: [CN].")


class Site(_Sourced):
    """A data centre."""

    name: Name
    country: Country
    place: str = ""
    latitude: float | None = Field(default=None, strict=True, ge=-90, le=90, description="Degrees north, for the map.")
    longitude: float | None = Field(
        default=None, strict=True, ge=-180, le=180, description="Degrees east, for the map."
    )
    power: Annotated[Power | dict[QuarterText, Power], WrapValidator(_quarters_once)] = Field(
        description="Power for the whole site, cooling included; or the power from given quarters on."
    )
    pue: float = Field(strict=True, ge=1.0, le=3.0, description="Power usage effectiveness: site power over IT power.")
    energy_price: PriceOfEnergy
    hosting_price: PriceOfHosting | None = Field(
        default=None, description="Rent per kW of IT load, where space is rented."
    )
    build_cost: PriceOfBuilding | None = Field(
        default=None,
        description="Building and power plant per W of IT, where the buyer builds: each system bought pays its part.",
    )
    ready: QuarterText
    modes: list[Literal["buy", "lease"]] = Field(
        min_length=1, description="buy: the buyer's own machines; lease: machines of another owner are rented here."
    )
    owner: str = ""
    owner_headquarters: Country | None = Field(
        default=None, description="Headquarters of the owner of leased machines."
    )
    new_build: bool = False


class Lease(_Sourced):
    """Machines of one kind for rent at sites that lease, in place of the catalogue's rental prices."""

    chip: str
    price: PriceOfChipHour
    sites: list[str] = Field(default_factory=list, description="Sites by name; all that lease when empty.")


class SystemPower(_Sourced):
    """IT power of one system at full load, in place of the catalogue's, or where the catalogue has none."""

    system: str
    power: Power


class Supply(_Sourced):
    """How many chips of one kind the buyer can get in each quarter."""

    chip: str
    chips: Annotated[Units | dict[QuarterText, Units], WrapValidator(_quarters_once)] = Field(
        description="Chips per quarter; or from given quarters on."
    )
    mode: Literal["buy", "lease", "both"] = "both"
    where: Selection = Field(default_factory=Selection)
    lead_quarters: int | None = Field(default=None, strict=True, ge=0, le=12, description="Quarters from order to use.")


class TrainingRun(_Sourced):
    """A foundation model to train."""

    name: Name
    model: str = Field(description="A model of the catalogue, or one defined under `models`.")
    tokens: Tokens
    sequence: Count = 4096
    batch_tokens: Tokens | None = Field(
        default=None, description="Tokens per step; by default 2,048 a chip, between 4 and 64 million."
    )
    dtype: Literal["bf16", "fp8"] = "bf16"
    first: QuarterText | None = Field(default=None, description="Earliest quarter to start in.")
    deadline: QuarterText | None = Field(default=None, description="Quarter it must have ended by.")
    must: bool = Field(default=False, description="Infeasible without it, rather than worth its value.")
    value: Amount | None = Field(default=None, description="Worth of the finished run.")
    where: Selection = Field(default_factory=Selection)


class Service(_Sourced):
    """A model to serve."""

    name: Name
    model: str
    demand: Annotated[dict[QuarterText, TokenRate], WrapValidator(_quarters_once)] = Field(
        description="Tokens, input and output together, averaged over a day; held until the next quarter given.",
    )
    peak_factor: float = Field(
        default=1.0, strict=True, ge=1.0, le=20.0, description="Peak load over the average; fleets are sized for it."
    )
    input_tokens: Count
    output_tokens: Count
    ttft: Seconds
    tpot: Seconds
    dtype: Literal["bf16", "fp8", "int8"] = "bf16"
    price: PriceOfTokens = Field(description="What served tokens, input and output together, earn.")
    unmet_penalty: PriceOfTokens | None = Field(default=None, description="What a token that is not served costs.")
    where: Selection = Field(default_factory=Selection)


class OwnModel(_Block):
    """A model that is not in the catalogue, by its dimensions (see `outlay catalog model NAME --json` for fields)."""

    like: str | None = Field(default=None, description="Take what is not given from this model of the catalogue.")
    fields: dict[str, float | str | bool] = Field(default_factory=dict)
    evidence: Evidence


class Objective(_Block):
    """What the plan is best at."""

    maximise: Literal["value", "compute", "served"] | None = None
    minimise: Literal["cost", "finish"] | None = None
    discount_rate: Share = 0.0
    salvage_per_year: Share = Field(default=0.65, description="Share of its price a machine keeps after each year.")
    reserve_value: Share = Field(
        default=1.0,
        description="Worth of a unit of budget left unspent: 100% counts costs in full, less makes spending cheaper.",
    )


class Policy(_Sourced):
    """How the rules are read."""

    flags: list[str] = Field(default_factory=list, description="Rules or readings switched on or off, by name.")
    dates: dict[str, Day] = Field(
        default_factory=dict,
        description="Another first day for a rule, such as {US-06: 2025-09-01}; its later days move with it.",
    )
    licences: list[Country] = Field(
        default_factory=list, description="Destinations for which a licence, where one is needed, is taken as granted."
    )
    accept: list[Literal["allowed", "conditional"]] = Field(default_factory=lambda: ["allowed", "conditional"])  # type: ignore[arg-type]


class Deadline(_Block):
    """A date that hangs over the plan and does not bind it; reported beside it."""

    name: Name
    date: Day
    note: str = ""
    evidence: Evidence


class Scenario(_Block):
    """A situation to plan for."""

    outlay: Literal[1] = Field(description="Version of this file format.")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    summary: str = ""
    knowledge_date: Day = Field(description="Rules, prices and supply are used as they were known on this day.")
    horizon: Horizon
    currency: Currency = Field(description="Currency the plan is counted in.")
    fx: Annotated[dict[Currency, ExchangeRate], WrapValidator(_each_once)] = Field(
        default_factory=dict, description="Units per US dollar; by default the month of the knowledge date."
    )
    buyer: Buyer
    budgets: list[Budget] = Field(min_length=1)
    sourcing: list[Sourcing] = Field(default_factory=list)
    sites: list[Site] = Field(min_length=1)
    systems: list[str] = Field(default_factory=list, description="Systems to choose from; every priced one when empty.")
    leases: list[Lease] = Field(default_factory=list)
    lease_quarters: int = Field(default=4, strict=True, ge=1, le=20, description="Term of a lease.")
    system_power: list[SystemPower] = Field(default_factory=list)
    supply: list[Supply] = Field(default_factory=list)
    default_supply: Units | None = Field(
        default=None, description="Chips per quarter of each kind `supply` does not name; unlimited when absent."
    )
    lead_quarters: int = Field(
        default=1,
        strict=True,
        ge=0,
        le=12,
        description="Quarters from order to use of machines bought, where supply gives none; rented ones stand.",
    )
    models: dict[str, OwnModel] = Field(default_factory=dict)
    training: list[TrainingRun] = Field(default_factory=list)
    services: list[Service] = Field(default_factory=list)
    objective: Objective
    finance: Finance | None = Field(default=None, description="Contracts, loans, cost of capital, currencies, upkeep.")
    policy: Policy = Field(default_factory=Policy)
    deadlines: list[Deadline] = Field(default_factory=list)
    futures: Futures | None = Field(default=None, description="What may come; `outlay plan --futures` plans with it.")
    catalog: str | None = Field(default=None, description="A file of records that add to or override the catalogue.")
    evidence: dict[str, Evidence] = Field(default_factory=dict)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors."""
    return Scenario.model_json_schema()


from outlay.scenario.finance import Finance  # noqa: E402  these take their types from above
from outlay.scenario.futures import Drift as Drift  # noqa: E402  others import these from here
from outlay.scenario.futures import Effect as Effect  # noqa: E402
from outlay.scenario.futures import Event as Event  # noqa: E402
from outlay.scenario.futures import Futures as Futures  # noqa: E402

Scenario.model_rebuild()
