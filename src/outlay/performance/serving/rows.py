"""Rows of published serving runs: one CSV schema, read with every bad cell named; what rows leave out is assumed.

The schema is that of ``data/serving_runs.csv``; ``docs/serving.md`` describes its columns.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlay.errors import InputError
from outlay.performance.chip import rows
from outlay.performance.published import check_columns, wrong_numbers
from outlay.performance.serving import inferencex
from outlay.performance.serving.hardware import vendors
from outlay.performance.serving.inferencex import Script

Refused = tuple[str, str, str]
"""Id, family and reason."""

NUMBERS = {
    "n_chips": (0.1, 1e6),
    "total_params_b": (1e-3, 1e5),
    "active_params_b": (1e-3, 1e5),
    "tp": (1, 1e4),
    "pp": (1, 1e4),
    "dp": (1, 1e5),
    "ep": (1, 1e5),
    "n_prefill_chips": (0.1, 1e6),
    "n_decode_chips": (0.1, 1e6),
    "input_len": (1, 1e8),
    "output_len": (1, 1e7),
    "concurrency_or_batch": (1, 1e7),
    "ttft_s": (1e-4, 1e5),
    "tpot_ms": (1e-2, 1e5),
    "output_tokens_per_s_per_chip": (1e-3, 1e7),
    "total_tokens_per_s_per_chip": (1e-3, 1e7),
    "prefill_tokens_per_s_per_chip": (1e-3, 1e8),
}
"""Columns of numbers, and the range in which one can be right: beyond it a unit is off."""
WORDS = ("engine", "engine_version", "year", "weight_dtype", "kv_dtype", "notes", "scenario")
NEEDED = ("id", "chip", "model_name")
OPTIONAL = (
    *NUMBERS, *WORDS, "source_title", "source_url", "source_locator", "source", "vendor", "arch", "disaggregated",
    "power_w", "split", "group", "family", "quality", "spec_decode",
)  # fmt: skip
DATASETS = {
    "llama270b": (
        294.0,
        294.45,
        "OpenOrca, mean answer of the MLPerf llama2-70b reference; prompt of 294 tokens assumed",
    ),
    "llama31405b": (
        9428.0,
        684.68,
        "mean answer of the MLPerf llama3.1-405b reference; prompt of 9,428 tokens assumed",
    ),
    "llama318b": (778.0, 128.0, "CNN-DailyMail, mean lengths of the MLPerf llama3.1-8b reference"),
    "deepseekr1": (1000.0, 4043.4, "mean answer of the MLPerf deepseek-r1 reference; prompt of 1,000 tokens assumed"),
    "mixtral8x7b": (270.0, 145.0, "mean lengths of the MLPerf mixtral-8x7b reference"),
    "gptj6b": (778.0, 69.0, "CNN-DailyMail, mean lengths of the MLPerf gptj-99 reference"),
}
"""Mean prompt and answer of MLPerf's data sets in tokens, by model. Answers by the READMEs of github.com/mlcommons/
inference, language: 684.68 (llama3.1-405b), 4,043.4 (deepseek-r1), and 294.45 of llama2-70b by the accuracy bounds of
its results (265.0 to 323.9, a tenth either way). Prompts and the others are assumed: no page read gives them."""
LONGEST = {"A": 512.0, "B": 512.0, "C": 512.0, "D": 256.0, "F": 512.0}
"""Tokens at which AccelMark's suites end an answer: ``output_tokens_max`` of suites/suite_*/suite.json in github.com/
FreedomIntelligence/AccelMark."""
SHORT = (1024.0, 1024.0, "prompt and answer of 1,024 tokens assumed, the commonest lengths of published runs")
GENERATIONS = (
    ("TensorRT-LLM", re.compile(r"^0\.([0-9]|1[0-5])\b"), "TensorRT-LLM 2024"),
    ("TensorRT-LLM", re.compile(r"^0\.1[6-9]"), "TensorRT-LLM 0.17"),
    ("TensorRT-LLM", re.compile(r"^1\.0"), "TensorRT-LLM 1.0rc"),
    ("vLLM", re.compile(r"^0\.[1-9](\.|$)"), "vLLM 2025"),
)
ENGINES = (
    ("mid-2023", "vLLM 2023"),
    ("ascend", "vllm-ascend"),
    ("rocm", "vLLM ROCm"),
    ("mango", "vLLM ROCm"),
    ("tpu", "vLLM TPU"),
    ("kunlun", "vLLM other"),
    ("1cat", "vLLM other"),
    ("nxd", "Neuron"),
    ("neuron", "Neuron"),
    ("cloudmatrix", "xDeepServe"),
    ("xdeepserve", "xDeepServe"),
    ("habana", "Optimum Habana"),
    ("chitu", "Chitu"),
    ("triton", "TensorRT-LLM 2024"),
    ("pytorch backend", "TensorRT-LLM 1.0"),
    ("tensorrt", "TensorRT-LLM"),
    ("sglang", "SGLang"),
    ("vllm", "vLLM"),
)
PORTABLE = ("vLLM", "SGLang")
"""Engines that run on the chips of several vendors, by a backend of that vendor's own."""
BACKENDS = {
    ("vLLM", "AMD"): "vLLM ROCm",
    ("vLLM", "Google"): "vLLM TPU",
    ("vLLM", "Huawei"): "vllm-ascend",
    ("vLLM", "other Chinese"): "vLLM other",
}
"""Backends with a name of their own, by engine and vendor."""
_RATE = re.compile(r"(?:offered QPS|Poisson) ([\d.]+)")
_ALL = re.compile(r"(?<!law )\b(\d[\d,]*) (?:requests|prompts)\b")
_DRAFTS = re.compile(r"\bsteps=(\d+)|\b(?:MTP|EAGLE-3) (\d+) (?:draft )?tokens?\b")
_ACCEPTED = re.compile(r"acceptance length ([\d.]+)")
_ACCEPTANCE = re.compile(r"([\d.]+) % acceptance")
_CACHED = re.compile(r"([\d.]+) % of the prompt cached")
_BUDGET = re.compile(r"max-num-batched-tokens (\d+)")
_SEATS = re.compile(r"max[- ]num[- ]seqs (\d+)")
_SUITE = re.compile(r"\bsuite ([A-H]) offline")
_FLIGHT = re.compile(r"in-flight by Little's law (\d+)")
_POOLS = re.compile(r"(prefill|decode) (\d+)x\(tp(\d+) dp(\d+) ep(\d+) pp(\d+)\)")


@dataclass(frozen=True)
class Pool:
    """Replicas of one layout: how many there are, and the ranks each is cut into."""

    instances: float
    tp: float
    dp: float
    ep: float
    pp: float

    @property
    def ranks(self) -> float:
        """Ranks of one instance."""
        return self.tp * self.dp * self.pp


@dataclass(frozen=True)
class Row:
    """A published run as its source gives it; a number that is not given is ``None``.

    Attributes
    ----------
    numbers
        The columns of :data:`NUMBERS`.
    engine
        Engine and generation, as :data:`ENGINES` sorts them.
    prefill, decode
        Pools of a disaggregated run, where its notes give them.
    """

    id: str
    chip: str
    model: str
    family: str
    group: str
    quality: str
    source: str
    engine: str
    disaggregated: bool
    speculative: bool
    numbers: dict[str, float | None]
    words: dict[str, str]

    def __getitem__(self, name: str) -> float | None:
        return self.numbers[name]

    @property
    def rate(self) -> float | None:
        """Requests a second offered, where the load was given so."""
        return _noted(_RATE, self.words["notes"])

    @property
    def all_requests(self) -> float | None:
        """Requests of the whole run, from the first to the last, where the notes give them."""
        return _noted(_ALL, self.words["notes"])

    @property
    def inferencex(self) -> bool:
        """Whether it is a run of InferenceX's benchmark."""
        return inferencex.is_run(self.words["notes"], (self["input_len"], self["output_len"]))

    @property
    def clients(self) -> bool:
        """Whether so many clients each sent a request after the other."""
        return self.words["scenario"] == "online" and self["concurrency_or_batch"] is not None

    @property
    def one_batch(self) -> bool:
        """Whether one batch of requests was read together, and then answered together."""
        alone = self.words["scenario"] == "offline" and self["concurrency_or_batch"] is not None
        return alone and self.all_requests is None and self.seats is None

    @property
    def longest(self) -> float | None:
        """Tokens of the longest answer of a run whose requests come all at once, where its suite says."""
        found = _SUITE.search(self.words["notes"])
        return LONGEST.get(found.group(1)) if found else None

    @property
    def seats(self) -> float | None:
        """Requests that an attention group was told to take at once at most, where notes or recipes give them."""
        if not (self.inferencex and {"prefill", "decode"} <= self.pools.keys()):
            return _noted(_SEATS, self.words["notes"])
        prefill, decode = self.pools["prefill"], self.pools["decode"]
        lengths = (self["input_len"] or 0.0, self["output_len"] or 0.0, float(self.speculative))
        workers = (prefill.instances, decode.instances, decode.ranks, float(decode.dp > 1))
        numbers = (*lengths, *workers, self["concurrency_or_batch"] or 0.0)
        return inferencex.seats(self.chip, self.model, self.words["weight_dtype"], numbers)

    def held_back(self, tp: float) -> tuple[float, float]:
        """Return for how many steps, and until how many tokens are there, prompts were held back on ``tp`` ranks."""
        if not self.inferencex:
            return 0.0, 0.0
        return inferencex.held_back(self.engine, self.model, (self["input_len"], self["output_len"]), tp)

    @property
    def drafts(self) -> float | None:
        """Tokens drafted a step, where the notes give them."""
        return _noted(_DRAFTS, self.words["notes"])

    @property
    def accepted(self) -> float | None:
        """Tokens a step makes with speculative decoding, where the notes give them."""
        return _noted(_ACCEPTED, self.words["notes"])

    @property
    def acceptance(self) -> float | None:
        """Share of drafted tokens accepted, where the notes give it."""
        share = _noted(_ACCEPTANCE, self.words["notes"])
        return None if share is None else share / 100.0

    @property
    def script(self) -> Script | None:
        """What the script of a run of InferenceX told its engine, where it was read."""
        if not self.inferencex or self.disaggregated:
            return None
        numbers = (self["input_len"] or 0.0, self["concurrency_or_batch"] or 0.0)
        return inferencex.script(self.engine, self.model, self.chip, self.words["notes"], numbers)

    @property
    def budget(self) -> float | None:
        """Tokens of a step at most, where notes or scripts give them."""
        script = self.script
        return script.budget if script else _noted(_BUDGET, self.words["notes"])

    @property
    def cached(self) -> float:
        """Share of a prompt found in the prefix cache, where the notes give it."""
        return (_noted(_CACHED, self.words["notes"]) or 0.0) / 100.0

    @property
    def in_flight(self) -> float | None:
        """Requests in the system at once on the mean: as given, or by Little's law from the log of an MLPerf run."""
        given = self["concurrency_or_batch"]
        return given if given is not None else _noted(_FLIGHT, self.words["notes"])

    @property
    def pools(self) -> dict[str, Pool]:
        """Pools by name, where the notes give them."""
        found = _POOLS.findall(self.words["notes"]) if self.disaggregated else []
        return {name: Pool(*(float(value) for value in values)) for name, *values in found}

    @property
    def spread(self) -> float:
        """Ranks of the largest group that exchanges tokens, as far as it is given."""
        each = [(self["tp"] or 1.0) * (self["dp"] or 1.0), self["ep"] or 1.0]
        return max(*each, *(pool.tp * pool.dp for pool in self.pools.values()), 1.0)

    @property
    def mlperf(self) -> bool:
        """Whether it is a run of MLPerf."""
        return "MLPerf" in self.words["notes"]


def _noted(pattern: re.Pattern[str], notes: str) -> float | None:
    """Return the number a note gives in the words of a pattern."""
    found = pattern.search(notes)
    return None if found is None else float(next(text for text in found.groups() if text).replace(",", ""))


def bundled() -> list[Row]:
    """Return the rows of the package."""
    return [_row(values) for values in rows("serving_runs.csv")]


def read(path: Path) -> tuple[list[Row], list[Refused]]:
    """Return the rows of a file, and those with a malformed cell as id, family and reason with the line.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, has an unknown one or no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns, lines = list(reader.fieldnames or ()), [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as CSV: {error}"
        raise InputError(msg) from error
    check_columns(path, columns, NEEDED, OPTIONAL)
    if not lines:
        msg = f"{path}: no rows; expected the columns of published serving runs, see docs/serving.md"
        raise InputError(msg)
    kept, refused, seen = [], [], dict[str, int]()
    for line, values in lines:
        first = seen.setdefault(values.get("id") or "", line)
        if reason := _complaint(values) or (f"this id stands on line {first} already" if first < line else ""):
            refused.append((values.get("id") or "", values.get("family") or "", f"{path}:{line}: {reason}"))
        else:
            kept.append(_row(values))
    return kept, refused


def _complaint(values: dict[str, Any]) -> str:
    """Return what is wrong with the cells of a row, '' where nothing is."""
    if None in values or any(value is None for value in values.values()):
        return f"{'more' if None in values else 'fewer'} cells than the header has"
    cells = {column: text.strip() for column, text in values.items()}
    empty = (f"{column} is empty" for column in NEEDED if not cells[column])
    return "; ".join([*empty, *wrong_numbers(cells, NUMBERS)])


def _row(values: dict[str, str]) -> Row:
    words = {name: (values.get(name) or "").strip() for name in WORDS}
    model = values["model_name"].strip()
    family = (values.get("family") or "").strip()
    return Row(
        id=values["id"].strip(),
        chip=values["chip"].strip(),
        model=model,
        family=family,
        group=(values.get("group") or "").strip() or f"{family} | {model}",
        quality=(values.get("quality") or "").strip() or "B",
        source=values["id"].partition("-")[0],
        engine=backend_of(engine_of(words["engine"], words["engine_version"]), vendors(family)["vendor"]),
        disaggregated=(values.get("disaggregated") or "").strip() == "1",
        speculative=(values.get("spec_decode") or "").strip() == "1",
        numbers={name: float(text) if (text := (values.get(name) or "").strip()) else None for name in NUMBERS},
        words=words,
    )


def engine_of(name: str, version: str = "") -> str:
    """Return engine and generation by the names published runs give.

    Examples
    --------
    >>> engine_of("TensorRT-LLM", "0.14.0"), engine_of("vLLM (ROCm)"), engine_of("Ollama")
    ('TensorRT-LLM 2024', 'vLLM ROCm', 'other')
    """
    lower = name.casefold()
    found = next((known for word, known in ENGINES if word in lower), "other")
    if found == "TensorRT-LLM" and version.startswith(("0.5.1", "0.8.1")):
        return "TensorRT-LLM 1.0"  # versions of Dynamo's runtime of 2025 and 2026, not of the engine
    for word, pattern, generation in GENERATIONS:
        if found == word and pattern.match(version):
            return generation
    return found


def backend_of(engine: str, vendor: str) -> str:
    """Return what an engine is called on the chips of a vendor: kernels, launches and graphs are those of its backend.

    Examples
    --------
    >>> backend_of("vLLM", "AMD"), backend_of("vLLM", "Intel"), backend_of("vLLM", "Nvidia")
    ('vLLM ROCm', 'vLLM Intel', 'vLLM')
    """
    if engine not in PORTABLE or vendor == "Nvidia":
        return engine
    return BACKENDS.get((engine, vendor), f"{engine} {vendor}")


def lengths(row: Row) -> tuple[float, float, tuple[str, ...]]:
    """Return tokens of prompt and answer, and what was assumed for those a row leaves out."""
    prompt, answer = row["input_len"], row["output_len"]
    if prompt is not None and answer is not None:
        drawn = inferencex.DRAWN if row.inferencex else 1.0
        return drawn * prompt, drawn * answer, ()
    key = re.sub(r"[^a-z0-9]", "", row.model.casefold())
    usual = DATASETS.get(key.replace("llama370b", "llama270b"), SHORT) if row.mlperf else SHORT
    return prompt or usual[0], answer or usual[1], (usual[2],)
