"""Scenario files: what is read, and how what is wrong is refused, with file, line and column."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import outlay
from outlay.errors import ScenarioError
from outlay.scenario.load import bundled, bundled_text, read_scenario
from outlay.scenario.schema import json_schema
from outlay.units import end_of_period

SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_scenario_loads(name: str) -> None:
    """What comes with the package is right, and says where its values come from."""
    scenario = outlay.load(name)
    assert scenario.name == name
    assert scenario.summary
    assert all(budget.evidence for budget in scenario.budgets)


def test_the_bundled_three_are_there() -> None:
    """The story, a sovereign programme, a laboratory that buys by cost."""
    assert {"bytedance-2025", "gulf-sovereign-2025", "us-lab-2025"} <= set(bundled())


def test_the_story_is_what_was_reported() -> None:
    """Both budgets in their own currencies, denied; the shares; the day; the horizon."""
    scenario = outlay.load("bytedance-2025")
    china, abroad = scenario.budgets
    assert (china.amount.amount, china.amount.currency) == (40_000_000_000, "CNY")
    assert (abroad.amount.amount, abroad.amount.currency) == (6_800_000_000, "USD")
    assert china.evidence["amount"].status == "denied"
    assert "incorrect" in china.evidence["amount"].denied_by
    assert [(rule.share, rule.kind) for rule in scenario.sourcing] == [(0.6, "exact"), (0.3, "floor")]
    assert scenario.knowledge_date.isoformat() == "2025-01-22"
    assert [str(scenario.horizon.all[0]), len(scenario.horizon.all)] == ["2025Q1", 8]
    countries = [site.country for site in scenario.sites]
    assert countries.count("CN") >= 3
    assert len([country for country in countries if country != "CN"]) >= 3


def test_every_assumption_has_its_reason() -> None:
    """In every bundled scenario."""
    for name in bundled():
        for evidence in evidences(outlay.load(name).model_dump()):
            assert evidence["status"] != "assumed" or evidence["reason"]


def evidences(node: Any) -> Iterator[dict[str, Any]]:
    """Find every piece of evidence in a scenario."""
    if isinstance(node, dict):
        if "denied_by" in node:
            yield node
        for value in node.values():
            yield from evidences(value)
    elif isinstance(node, list):
        for value in node:
            yield from evidences(value)


def refused(text: str) -> ScenarioError:
    """Return the error a text is refused with."""
    with pytest.raises(ScenarioError) as caught:
        read_scenario(text, "mine.yaml")
    return caught.value


def test_the_small_one_is_right() -> None:
    """The text the refusals below are made from has nothing wrong with it."""
    scenario = read_scenario(SMALL, "mine.yaml")
    assert scenario.services[0].tpot == pytest.approx(0.05)
    assert scenario.sites[0].power == 5e6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("10 million USD", "10 million USF", "mine.yaml:9:27: budgets[0].amount: unknown currency 'USF'"),
        ("10 million USD", "-10 million USD", "budgets[0].amount: '-10 million USD' must be more than zero"),
        ("10 million USD", "0 USD", "budgets[0].amount: '0 USD' must be more than zero"),
        ("10 million USD", "10 million", "has no currency"),
        ("2025Q1, quarters: 4", "2025Q7, quarters: 4", "mine.yaml:5:18: horizon.start: '2025Q7' is not a quarter"),
        ("quarters: 4", "quarters: 0", "horizon.quarters: got 0; expected 1 or more"),
        ("5 MW", "5 tonnes", "sites[0].power: '5 tonnes' is not power, such as 30 MW"),
        ("5 MW", "5", "sites[0].power: '5' has no unit"),
        ("pue: 1.2", "pue: 0.5", "sites[0].pue: got 0.5; expected 1 or more"),
        ("country: US", "country: Atlantis", "sites[0].country: unknown country 'Atlantis'"),
        ("DGX H100", "DGX H1000", "mine.yaml:12:11: unknown system or chip 'DGX H1000'; nearest: "),
        ("Llama-3.1-8B", "Llama-3.1-9B", "mine.yaml:15:12: unknown model 'Llama-3.1-9B'; nearest: "),
        ("title: Small", "tilte: Small", "tilte: unknown field 'tilte'; nearest: title"),
        ("modes: [buy]}", "modes: [by]}", "sites[0].modes[0]: unknown value 'by'; nearest: buy"),
        ("modes: [buy]}", "modes: [lease]}", "budget 'money' pays to buy, but its sites only lease"),
        ("pays_for: [buy]}", "pays_for: [buy], where: {countries: [CN]}}", "no site of the scenario is in its terms"),
        ("pays_for: [buy]}", "pays_for: [buy], where: {sites: [Hone]}}", "unknown site 'Hone'; nearest: Home"),
        ("pays_for: [buy]}", "pays_for: [buy], first: 2026Q3}", "2026Q3 is outside the horizon, 2025Q1 to 2025Q4"),
        ("{2025Q1: 1 billion", "{2027Q1: 1 billion", "2027Q1 is outside the horizon"),
        ("1 billion tokens/day", "-1 billion tokens/day", "must be zero or more"),
        ("tpot: 50 ms", "tpot: 0 ms", "services[0].tpot: '0 ms' must be more than zero"),
        ("input_tokens: 1000", "input_tokens: 10.5", "services[0].input_tokens: 10.5 is not a whole number"),
        ("maximise: value", "maximise: value, minimise: cost", "give exactly one of maximise and minimise"),
        ("currency: USD", "currency: CHF", "give a rate under `fx`, such as CHF: 7.27"),
        ("knowledge_date: 2025-01-22", "knowledge_date: 2031-01-22", "is after the horizon ends"),
        ("name: small", "name: Small One", "name: got 'Small One'; expected small letters, digits and hyphens"),
        ("title: Small\n", "", "title is missing"),
        ("title: Small\n", "title: Small\ntitle: Twice\n", 'mine.yaml:4:1: duplicate key "title"'),
        ("outlay: 1", "outlay: 2", "outlay: made for format 2 by a newer version"),
        ("quarters: 4", "quarters: four", "mine.yaml:5:36: horizon.quarters: got 'four'; expected a whole number"),
        ("quarters: 4", "quarters: true", "horizon.quarters: got True; expected a whole number"),
        ("2025-01-22", "2025-02-30", "knowledge_date: '2025-02-30' is not a day; expected year, month and day"),
        ("2025-01-22", "22 January 2025", "such as 2025-01-22"),
        ("name: Home", 'name: ""', "sites[0].name: got ''; expected some text"),
        ("pue: 1.2", "pue: .nan", "sites[0].pue: got nan; expected 3 or less"),
        ("5 MW", "5 mW", "sites[0].power: '5 mW' is 0.005 W; a megawatt is written MW"),
        ("5 MW", "5 flurbs", "sites[0].power: '5 flurbs': unknown unit 'flurbs'; expected power, such as 30 MW"),
        ("5 MW", "1e400 MW", "'1e400' is not a number, or one too large or too small to mean anything here"),
        ("5 MW", "5 W**9**9**9", "'5 W**9**9**9' is not a quantity; expected power, such as 30 MW"),
        ("5 MW", "{}", "sites[0].power: expected at least one quarter, such as {2025Q1: ...}"),
        ("5 MW", "[5 MW]", "sites[0].power: expected text such as '30 MW'"),
        (
            "5 MW",
            "{2025Q1: 5 tonnes}",
            "mine.yaml:11:47: sites[0].power.2025Q1: '5 tonnes' is not power, such as 30 MW",
        ),
        ("5 MW", "{2026Q1: 5 MW}", "2026Q1 is after the horizon, 2025Q1 to 2025Q4"),
        ("{2025Q1: 1 b", "{2025q1: 2 tokens/s, 2025Q1: 1 b", "demand: one of 2025q1, 2025Q1 is given twice"),
        ("{name: Me, headquarters: US, parent: US}", "[Me]", "buyer: got ['Me']; expected fields, such as {name: ...}"),
        ("{maximise: value}", "!best {maximise: value}", "mine.yaml:22:12: a tag such as !best has no meaning here"),
        ("title: Small", "7: Small", "7 is not the name of a field; names are text"),
        ("title: Small", "title: \x01", "mine.yaml:3:8: not YAML: a character that is not allowed, U+0001"),
        ("title: Small", "title: " + "9" * 5000, "mine.yaml:3:8: a number with too many digits"),
        ("title: Small", "title: Small\ndeadlines: [{name: d, date: soon}]", "deadlines[0].date: 'soon' is not a day"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    """File, line and column, the value, what was expected, the nearest valid name."""
    assert SMALL.count(old) >= 1
    error = refused(SMALL.replace(old, new, 1))
    assert message in str(error)
    assert error.path == "mine.yaml"
    assert error.line is not None


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{name: a, share: 130%, kind: floor, base: chips, of: {}}", "'130%' is not a share; expected 0% to 100%"),
        ("{name: a, share: 30%, kind: floor, base: budget-value, of: {}}", "name it under `budget`"),
        (
            "{name: a, share: 30%, kind: floor, base: chips, budget: mony, of: {}}",
            "unknown budget 'mony'; nearest: money",
        ),
        (
            "{name: a, share: 60%, kind: exact, base: chips, of: {}}, "
            "{name: b, share: 70%, kind: floor, base: chips, of: {}}",
            "floor 'b' of 70.0%, but 'a' fixes exactly 60.0%",
        ),
        (
            "{name: a, share: 60%, kind: exact, base: chips, of: {}}, "
            "{name: b, share: 70%, kind: exact, base: chips, of: {}}",
            "'b' asks exactly 70.0%, 'a' exactly 60.0%",
        ),
        (
            "{name: a, share: 60%, kind: exact, base: chips, of: {}}, "
            "{name: a, share: 50%, kind: floor, base: chips, of: {}}",
            "two sourcing are named 'a'",
        ),
    ],
)
def test_shares_are_checked_against_each_other(rules: str, message: str) -> None:
    """Over 100 %, without a base, contradicting."""
    assert message in str(refused(SMALL + f"sourcing: [{rules}]\n"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("fx: {USD: 7}", "rates are per US dollar; USD itself has none"),
        ("fx: {CNY: 7, yuan: 8}", "fx: one of CNY, yuan is given twice"),
        ("policy: {flags: [letter]}", "mine.yaml:23:18: unknown policy flag 'letter'; nearest: letter_2025_h20_line"),
        (
            "leases: [{chip: H100 SXM, price: 2 USD/chip/hour}, "
            "{chip: h100 sxm, price: 3 USD/chip/hour, sites: [Home]}]",
            "the rent of H100 SXM is given twice for a site, in leases[0] and leases[1]",
        ),
        ("system_power: [{system: DGX H100, power: 9 kW}, {system: dgx h100, power: 8 kW}]", "is given twice"),
        ("models: {m: {evidence: {status: official}}}", "model 'm': no source gives its attention"),
        (
            "models: {m: {like: Llama-3.1-8B, fields: {layerz: 3}, evidence: {status: official}}}",
            "mine.yaml:23:51: unknown field 'layerz'; nearest: layers",
        ),
        (
            "models: {m: {like: Llama-3.1-8B, fields: {layers: -3}, evidence: {status: official}}}",
            "layers is -3.0; expected a number from 1 to 200",
        ),
        ("models: {m: {like: Llama-3.1-8C, evidence: {status: official}}}", "unknown model 'Llama-3.1-8C'; nearest"),
        ("deadlines: [{name: d, date: 2025-04-05, evidence: {status: assumed}}]", "'d' is assumed; say why"),
        (
            "sourcing: [{name: a, share: 60%, kind: exact, base: chips, of: {vendor_countries: [CN]}}, "
            "{name: b, share: 50%, kind: floor, base: chips, of: {vendor_countries: [US]}}]",
            "shares of one base over 100%: 'a' 60.0% and 'b' 50.0%",
        ),
    ],
)
def test_blocks_that_cannot_hold_are_refused(more: str, message: str) -> None:
    """What is given twice, what the rules or the models do not know, shares that leave no room for each other."""
    assert message in str(refused(SMALL + more + "\n"))


def test_assumed_without_a_reason_is_refused() -> None:
    """An assumption says why."""
    text = SMALL.replace("modes: [buy]}", "modes: [buy], evidence: {pue: {status: assumed}}}")
    assert "pue is assumed; say why under `reason`" in str(refused(text))


def test_a_lease_site_needs_its_owner() -> None:
    """The rules ask whose machines they are."""
    text = SMALL.replace("modes: [buy]}", "modes: [buy, lease]}")
    assert "give their owner's headquarters" in str(refused(text))


def test_a_run_needs_worth_or_must() -> None:
    """Otherwise nothing would make the plan do it."""
    text = SMALL + "training: [{name: r, model: Llama-3.1-8B, tokens: 1 trillion tokens}]\n"
    assert "needs a value, or `must: true`" in str(refused(text))


def test_everything_wrong_is_told_at_once() -> None:
    """Two slips, two lines."""
    text = SMALL.replace("5 MW", "5 tonnes").replace("10 million USD", "10 million")
    assert str(refused(text)).count("mine.yaml:") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- 1\n- 2\n", "expected fields"),
        ("a: [1\n", "not YAML"),
        ("\t- x", "not YAML"),
        ("a: 1\n---\nb: 2\n", "mine.yaml:2:1: not YAML"),
        ("a: &a [*a]", "unknown field 'a'"),
        ("a: " + "[" * 5000, "mine.yaml:1:33: too large: more than 20,000 values, or nested deeper than 30"),
        ("a: [" + "1," * 30_000 + "1]", "too large"),
        ("a: !!python/object/apply:os.getcwd []", "a tag such as"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, message: str) -> None:
    """YAML that is not YAML, is empty, or is a list."""
    assert message in str(refused(text))


def test_a_bomb_of_aliases_is_refused() -> None:
    """Anchors that blow up to millions of values are stopped."""
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for this, before in zip("bcdefg", "abcdef", strict=True):
        bomb += f"{this}: &{this} [{','.join([f'*{before}'] * 10)}]\n"
    assert "too large" in str(refused(bomb))


def test_a_value_merged_in_has_a_place() -> None:
    """What an anchor brings is told of where the block is that takes it."""
    text = SMALL.replace(
        "buyer: {name: Me, headquarters: US, parent: US}", "buyer: &b {name: Me, headquarters: US, parent: XX}"
    )
    error = refused(text + "fx: {<<: *b}\n")
    assert error.line == 7
    assert "mine.yaml:23:" in str(error)


def test_a_scenario_written_anew_is_the_same() -> None:
    """Comments and anchors carry nothing: dumped without them a scenario reads the same."""
    for name in bundled():
        text = StringIO()
        YAML(typ="safe").dump(YAML(typ="safe").load(bundled_text(name)), text)
        assert read_scenario(text.getvalue(), "again.yaml") == outlay.load(name)


def test_a_dump_keeps_every_digit() -> None:
    """Two budgets that print alike are told apart: the mark of a plan's input is made from the dump."""
    first, second = (
        read_scenario(SMALL.replace("10 million", n), "s.yaml") for n in ("10.001 million", "10.002 million")
    )
    assert str(first.budgets[0].amount) == str(second.budgets[0].amount)
    assert first.model_dump_json() != second.model_dump_json()


@pytest.mark.parametrize("name", bundled())
def test_nothing_is_known_before_it_was_said(name: str) -> None:
    """No evidence of a bundled scenario is from after its knowledge date."""
    scenario = outlay.load(name)
    dated = [evidence for evidence in evidences(scenario.model_dump()) if evidence["date"]]
    assert dated
    assert [e for e in dated if end_of_period(e["date"]) > scenario.knowledge_date] == []


def test_a_folder_or_other_bytes_are_refused(tmp_path: Path) -> None:
    """What is no text file is told so."""
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        outlay.load(tmp_path)
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot be read as text in UTF-8"):
        outlay.load(tmp_path / "s.yaml")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """Before it is read."""
    file = tmp_path / "huge.yaml"
    file.write_text("#" * 500_001, encoding="utf-8")
    with pytest.raises(ScenarioError, match="at most 500,000"):
        outlay.load(file)


def test_a_missing_file_offers_the_nearest_bundled_one() -> None:
    """A slip in the name of a bundled scenario."""
    with pytest.raises(ScenarioError, match="nearest bundled scenario: bytedance-2025"):
        outlay.load("bytdance-2025")


def test_a_catalogue_beside_the_file_is_used(tmp_path: Path) -> None:
    """A scenario brings its own records; a missing file is refused with its place."""
    (tmp_path / "own.yaml").write_text("systems: {Box: {like: DGX H100 / HGX H100}}", encoding="utf-8")
    text = SMALL.replace("DGX H100", "Box") + "catalog: own.yaml\n"
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    assert outlay.load(tmp_path / "s.yaml").systems == ["Box"]
    (tmp_path / "own.yaml").unlink()
    with pytest.raises(ScenarioError, match="no such catalogue file"):
        outlay.load(tmp_path / "s.yaml")


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of every value of a tree."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from leaves(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from leaves(value, (*path, i))


TREE = YAML(typ="safe").load(SMALL)
PATHS = list(leaves(TREE))


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    value=st.sampled_from([None, True, -1, 1e308, "", "x", [], {}, ["a"], {"a": 1}, "2025Q9", "9 parsecs", "\u2028"]),
)
def test_any_mangled_value_is_refused_or_read(path: tuple[Any, ...], value: Any) -> None:
    """Whatever stands in a field, the answer is a scenario or a ScenarioError with a line, never another error."""
    tree = copy.deepcopy(TREE)
    node = tree
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    text = StringIO()
    YAML().dump(tree, text)
    assert outcome(text.getvalue())


@settings(max_examples=40, deadline=None)
@given(path=st.sampled_from(PATHS))
def test_any_deleted_field_is_missed_or_optional(path: tuple[Any, ...]) -> None:
    """A scenario without one of its fields is a scenario, or a ScenarioError with a line."""
    tree = copy.deepcopy(TREE)
    node = tree
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    text = StringIO()
    YAML().dump(tree, text)
    assert outcome(text.getvalue())


def outcome(text: str) -> bool:
    """Return whether a text is read, or refused with a line and without the validator's jargon."""
    try:
        read_scenario(text, "mine.yaml")
    except ScenarioError as error:
        return error.line is not None and "pydantic" not in str(error)
    return True


REQUIRED = [
    "outlay",
    "name",
    "title",
    "knowledge_date",
    "horizon",
    "currency",
    "buyer",
    "budgets",
    "sites",
    "objective",
]


@pytest.mark.parametrize("field", REQUIRED)
def test_each_required_field_is_missed_by_name(field: str) -> None:
    """The message names it."""
    tree = copy.deepcopy(TREE)
    del tree[field]
    text = StringIO()
    YAML().dump(tree, text)
    assert str(refused(text.getvalue())) == f"mine.yaml:1:1: {field} is missing"


def test_the_json_schema_speaks_of_every_field_used() -> None:
    """Editors know each field of the bundled scenarios."""
    schema = json_schema()
    for name in bundled():
        raw = YAML(typ="safe").load(bundled_text(name))
        assert set(raw) <= set(schema["properties"])
        for site in raw["sites"]:
            assert set(site) <= set(schema["$defs"]["Site"]["properties"])
