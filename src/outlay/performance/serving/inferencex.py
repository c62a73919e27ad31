"""What InferenceX's scripts say of its runs beside their rows: lengths as drawn, waves, seats, prompts held back.

Its results are published by scenario and concurrency; how they were measured stands in the scripts of
github.com/SemiAnalysisAI/InferenceX (read at commit 843c6254f and, for runs of 2025, c198b20eb).
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace

from outlay.performance.chip import rows
from outlay.performance.serving.kernels import Fusions

DRAWN = 0.9
"""Mean length over the one a scenario is named by: lengths are drawn evenly from 0.8 of it to the whole
(``RANDOM_RANGE_RATIO: 0.8``, .github/workflows/benchmark-tmpl.yml; utils/bench_serving/benchmark_serving.py)."""
WAVES = 10.0
"""Requests of a run over its concurrency (``--num-prompts $((CONC * 10))``, benchmarks/*.sh)."""
SCENARIOS = ((1024.0, 1024.0), (1024.0, 8192.0), (8192.0, 1024.0))
"""Prompt and answer of its scenarios."""
MEASURED = re.compile(r"measured=(20\d\d-\d\d)")
"""How AIConfigurator's sample notes the month of a run of InferenceX; its own have none."""
WAIT_STEPS, WAIT_TOKENS = 20.0, 0.9 * 16384.0
"""Steps for which TensorRT-LLM holds prompts back until so many tokens of them are there: ``batch_wait_timeout_iters``
and ``batch_wait_max_tokens_ratio`` of its ``--max_num_tokens``, benchmarks/70b_*_trt_slurm.sh, which set them for
Llama-70B, 1,024 tokens both ways, on fewer than eight chips."""


def is_run(notes: str, lengths: tuple[float | None, float | None]) -> bool:
    """Return whether a row is of its benchmark."""
    return bool(MEASURED.search(notes)) and lengths in SCENARIOS


@dataclass(frozen=True)
class Script:
    """What the script of a run tells its engine.

    Attributes
    ----------
    kv_bytes
        Bytes of a value of KV cache.
    budget
        Tokens of a step at most.
    captured
        Tokens up to which a step that reads prompts is a captured graph.
    norm
        Kernels of an all-reduce with its norm where it asks for them to be one, else not a number.
    chained
        Whether it leaves the engine's chain of experts on.
    """

    kv_bytes: float
    budget: float
    captured: float
    norm: float
    chained: bool

    def fusions(self, usual: Fusions) -> Fusions:
        """Return what the engine fuses by this script."""
        norm = usual.norm if math.isnan(self.norm) else self.norm
        return replace(usual, captured=self.captured, norm=norm, chained=usual.chained and self.chained)


def script(engine: str, model: str, chip: str, notes: str, numbers: tuple[float, float]) -> Script | None:
    """Return what the script of a run's month told the engine, where read; ``numbers`` are prompt and concurrency."""
    found = MEASURED.search(notes)
    for row in reversed(_scripts()):
        named = row["model"] == model and engine.startswith(row["engine"])
        if named and found and chip.partition("-")[0] in row["chips"].split(";") and row["since"] <= found.group(1):
            prompt, asked = numbers
            budget = float(row["budget"]) + float(row["budget_a_prompt_token"]) * prompt
            budget += float(row["budget_a_request"]) * asked
            return Script(
                float(row["kv_bytes"]),
                budget,
                float(row["captured"]),
                float(row["norm"] or "nan"),
                row["chained"] != "0",
            )
    return None


@functools.cache
def _scripts() -> list[dict[str, str]]:
    return rows("serving_scripts.csv")


def held_back(engine: str, model: str, lengths: tuple[float | None, float | None], tp: float) -> tuple[float, float]:
    """Return for how many steps, and until how many tokens are there, a run held prompts back; 0 where it did not."""
    wanted = engine.startswith("TensorRT-LLM") and re.search(r"Llama.*70B", model)
    return (WAIT_STEPS, WAIT_TOKENS) if wanted and lengths == SCENARIOS[0] and tp < 8 else (0.0, 0.0)


@functools.cache
def _recipes() -> dict[tuple[str, ...], float]:
    """Return the batch that engines were told to take by what tells recipes apart, the concurrency last.

    ``max_batch_size`` of an attention group that decodes, from the names of the recipes in
    .github/configs/nvidia-master.yaml (Dynamo with TensorRT-LLM; February to May 2026).
    """
    found = {}
    for row in rows("serving_recipes.csv"):
        *key, requests, batch = row.values()
        found.update({(*key, one): float(batch) for one in requests.split(";")})
    return found


def seats(chip: str, model: str, types: str, numbers: tuple[float, ...]) -> float | None:
    """Return the requests that an attention group of a disaggregated run was told to take at once at most.

    ``numbers`` are prompt, answer, 1 with speculative decoding, instances for prompts, instances that decode, ranks of
    one, 1 where attention is data-parallel, and concurrency.
    """
    narrow = "fp4" if "fp4" in types else types
    return _recipes().get((model, narrow, chip.partition("-")[0], *(f"{number:g}" for number in numbers)))
