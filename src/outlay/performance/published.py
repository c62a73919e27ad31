"""Reads files of published training runs, and from their free text what a prediction needs as figures."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from outlay.errors import InputError, nearest

Row = Mapping[str, str]

REQUIRED = (
    "id", "year", "chip", "n_chips", "framework", "model_name", "layers", "hidden", "ffn_hidden", "heads", "kv_heads",
    "head_dim", "vocab", "seq_len", "n_experts", "experts_per_token", "moe_ffn_hidden", "shared_experts", "attention",
    "gated_mlp", "total_params_b", "dtype", "global_batch_seqs", "micro_batch", "tp", "pp", "vpp", "dp", "cp", "ep",
    "sequence_parallel", "zero_stage_or_fsdp", "recompute", "schedule", "chip_family", "split_group", "quality",
)  # fmt: skip
"""Columns a file must have. A cell may be blank, which means that the source does not say."""
OPTIONAL = (
    "source_title", "source_url", "source_locator", "source", "locator", "vendor", "chips_per_node",
    "interconnect_intra", "interconnect_inter", "scaleout_gbps_per_chip", "arch", "active_params_b", "step_time_s",
    "tokens_per_s_per_chip", "tflops_per_chip", "tflops_convention", "mfu_pct", "hfu_pct", "notes", "remark", "recipe",
    "model_canonical", "params_basis", "calc_tokens_per_s_per_chip", "calc_basis", "calc_model_tflops_causal",
    "calc_model_tflops_full", "check", "split",
)  # fmt: skip
KEPT = (
    *REQUIRED, "chips_per_node", "scaleout_gbps_per_chip", "calc_tokens_per_s_per_chip", "calc_basis", "remark",
    "recipe", "source", "locator",
)  # fmt: skip
"""Columns of the file that comes with the package: those a prediction needs, with what free text says as figures."""
WINDOWS = {
    r"mistral ?7b": (4096, 0),
    r"gemma ?2 (9|27)b": (4096, 2),
    r"gemma ?3 (4|12|27)b": (1024, 6),
    r"gpt[ -]oss (20|120)b": (128, 2),
}
"""Sliding windows, which no column has, by the name of the model: tokens, and of how many layers one attends fully (0:
none). Sources: arXiv:2310.06825, table 1; arXiv:2408.00118, section 2; arXiv:2503.19786, section 2.1;
arXiv:2508.10925, section 2.2."""
PARALLEL_BLOCKS = r"(gpt-neox|gpt-j|palm)\b"
"""Models with attention and FFN in parallel (arXiv:2204.06745, 2.1; arXiv:2204.02311, 2)."""
BIASED = r"gpt[ -]oss (20|120)b"
"""Models whose experts have biases and clamps, which no column has (Megatron-Bridge, gpt_oss_provider.py)."""
NUMBERS = {
    "n_chips": (1, 1e6),
    "chips_per_node": (1, 1e5),
    "layers": (1, 1000),
    "hidden": (64, 1e6),
    "ffn_hidden": (64, 1e7),
    "heads": (1, 4096),
    "kv_heads": (1, 4096),
    "head_dim": (8, 4096),
    "vocab": (100, 1e7),
    "seq_len": (16, 1e8),
    "n_experts": (0, 1e5),
    "experts_per_token": (0, 1e4),
    "moe_ffn_hidden": (16, 1e7),
    "shared_experts": (0, 1000),
    "total_params_b": (1e-3, 1e6),
    "global_batch_seqs": (1, 1e8),
    "micro_batch": (1, 1e6),
    "tp": (1, 1e5),
    "pp": (1, 1e4),
    "vpp": (1, 1e3),
    "dp": (0.1, 1e6),
    "cp": (1, 1e5),
    "ep": (1, 1e5),
    "year": (2016, 2100),
    "step_time_s": (1e-6, 1e8),
    "tokens_per_s_per_chip": (0, 1e8),
    "calc_tokens_per_s_per_chip": (0, 1e8),
    "scaleout_gbps_per_chip": (1, 1e5),
}
"""Columns of numbers, and the range in which one can be right: beyond it a unit is off."""
WHOLE = NUMBERS.keys() - {
    "total_params_b", "global_batch_seqs", "dp", "step_time_s", "tokens_per_s_per_chip", "calc_tokens_per_s_per_chip",
    "scaleout_gbps_per_chip",
}  # fmt: skip
"""Columns of counts; a batch and its replicas are none, as they are means in some sources."""
LORA, AVERAGE, DATED, DEFECT = "LoRA", "whole-run average", "layout of another date", "known defect"
BLOCK_SCALED, EITHER, DROPPED = "block-scaled fp8", "fp8 or fp4", "tokens dropped"
OVERLAPPED, EAGER, UNFUSED = "communication overlapped", "no torch.compile", "attention not fused"
PARALLEL, BLOCKING = "attention and FFN in parallel", "every kernel waited for"
EVALUATED, EXPERT_RANKS = "evaluations counted", "tensor ranks of experts"


class RefusedError(Exception):
    """A row cannot be predicted; the text says why."""


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file, completed with what their free text says.

    Raises
    ------
    InputError
        If there is no such file, it is no CSV in UTF-8, a required column is missing, a column is unknown or an id
        comes twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            rows = list(reader)
    except FileNotFoundError:
        msg = f"no such file: {path}"
        raise InputError(msg) from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        msg = f"{path}: not a CSV file in UTF-8: {error}"
        raise InputError(msg) from None
    check_columns(path, columns, REQUIRED, OPTIONAL)
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            msg = f"{path}:{number}: not as many cells as the {len(columns)} columns of the first line"
            raise InputError(msg)
        if row["id"] in seen:
            msg = f"{path}:{number}: id {row['id']!r} stands on line {seen[row['id']]} already"
            raise InputError(msg)
        seen[row["id"]] = number
    return [completed(row, number) for number, row in enumerate(rows, start=2)]


def check_columns(path: Path, columns: Iterable[str], required: Iterable[str], optional: Iterable[str]) -> None:
    """Refuse a file whose columns are not those of published runs, naming each and the nearest known one."""
    columns, required = list(columns), list(required)
    known = [*required, *optional]
    for name in columns:
        if name not in known:
            close = ", ".join(nearest(name, known)) or ", ".join(known)
            msg = f"{path}:1: unknown column {name!r}; nearest: {close}"
            raise InputError(msg)
    missing = [name for name in required if name not in columns]
    if missing:
        msg = f"{path}:1: column {', '.join(missing)} is missing; a published run needs {', '.join(required)}"
        raise InputError(msg)


def completed(row: Row, line: int = 0) -> dict[str, str]:
    """Return a row with the columns that free text or another column decides, and its line in the file."""
    full = dict.fromkeys((*REQUIRED, *OPTIONAL), "") | dict(row)
    for group, said in SAID.items():
        if full["split_group"].startswith(group):
            full |= said(full)
    notes = full["notes"]
    if not full["calc_tokens_per_s_per_chip"]:
        full["calc_tokens_per_s_per_chip"] = full["tokens_per_s_per_chip"] or _of_step(full)
    full["remark"] = full["remark"] or _remark(f"{full['model_name']} {notes}")
    full["recipe"] = full["recipe"] or _recipe(notes)
    full["scaleout_gbps_per_chip"] = full["scaleout_gbps_per_chip"] or _scaleout(full)
    full["line"] = str(line) if line else ""
    return full


def _megascale(row: Row) -> dict[str, str]:
    """Return what arXiv:2402.15627 says in section 6.1 and no column has.

    Megatron-LM is that of January 2023 (commit 285068c8); six interleaved chunks for 175B and three for 530B, a
    vocabulary of 64,000, and for 530B a batch of as many sequences as chips. MegaScale's attention and FFN are parallel
    (3.1); of the ablation (table 3) all rows but the first, which are Megatron-LM's until communication is overlapped.
    """
    large = row["model_name"].endswith("530B")
    said = {"vpp": "3" if large else "6", "vocab": "64000"}
    if large:
        said["global_batch_seqs"] = row["n_chips"]
    place = row["locator"] or row["source_locator"]
    baseline = row["framework"] == "Megatron-LM" or place.endswith("baseline Megatron")
    if not baseline:
        said["recipe"] = PARALLEL
    if baseline or place.endswith(("+PTB", "+SWA")):
        return said | {"framework": "Megatron-LM", "year": "2023"}
    return said | {"framework": "MegaScale"}


def _nemo(row: Row) -> dict[str, str]:
    """Return that nobody knows the layout of NeMo Megatron's 175B on A100.

    Its figures stand in the README since 2022-09-07 (NVIDIA/NeMo-Framework-Launcher, 3579cdb3), the layout is of a year
    later: conf/training/gpt3/175b.yaml of that commit had eight tensor ranks, one chunk a stage and micro-batches of
    two. Nor are the figures sure: that README says 27 days for what takes 31.7 by them.
    """
    return {"remark": DATED} if row["model_name"].endswith("175B") else {}


def _bridge(row: Row) -> dict[str, str]:
    """Return that a container lacks what a recipe asks for.

    NeMo 26.02 does not support DeepEP, which slows down H100 until 26.02.01 (NVIDIA-NeMo/Megatron-Bridge,
    docs/releases/known-issues.md); of its recipes in scripts/performance, Qwen3 30B's and DeepSeek-V3's on H100 ask
    for it.
    """
    asks = row["model_name"].casefold().startswith(("qwen3_30b", "deepseek"))
    lacking = asks and row["chip"].startswith("H100") and "NeMo 26.02)" in row["framework"]
    return {"remark": DEFECT} if lacking else {}


def _bigscience(_: Row) -> dict[str, str]:
    """Return that the host waited for every kernel, without which these runs hung.

    CUDA_LAUNCH_BLOCKING=1 (bigscience-workshop/bigscience, train/tr11-176B-ml/chronicles-prequel.md, dealing with JZ
    hanging on the large model; tr11-176B-ml.slurm).
    """
    return {"recipe": BLOCKING}


def _vtrain(_: Row) -> dict[str, str]:
    """Return that no optimiser state is sharded.

    vTrain's simulator, whose validation these runs are, sums the gradients over the data-parallel ranks and updates all
    weights on each (VIA-Research/vTrain, src/predictor.py).
    """
    return {"zero_stage_or_fsdp": "ZeRO-0"}


SAID = {
    "megascale": _megascale,
    "nvidia-nemo-a100": _nemo,
    "nvidia-recipes": _bridge,
    "bigscience-176b": _bigscience,
    "vtrain-": _vtrain,
}
"""What sources say of runs that no column has, or has wrong, by how the names of their groups begin."""


def wrong_numbers(row: Row, ranges: Mapping[str, tuple[float, float]], whole: Container[str] = ()) -> Iterator[str]:
    """Yield what is wrong with each cell that is no number, out of its range, or not ``whole`` where it must be."""
    for name, (least, most) in ranges.items():
        text = row.get(name, "")
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            yield f"{name} is {text!r}, not a number"
            continue
        if not least <= value <= most:
            yield f"{name} is {text}, outside {least:g} to {most:g}; is its unit off?"
        elif value % 1 and name in whole:
            yield f"{name} is {text}, not a whole number"


def complaint(row: Row) -> str:
    """Return what is wrong with the numbers of a row, or '' where nothing is."""
    if wrong := next(wrong_numbers(row, NUMBERS, WHOLE), ""):
        return wrong
    if row["calc_tokens_per_s_per_chip"] and float(row["calc_tokens_per_s_per_chip"]) == 0:
        return "calc_tokens_per_s_per_chip is 0"
    return _contradiction(row)


def _contradiction(row: Row) -> str:
    """Return how throughput and step time of a row contradict each other by a factor that only a unit explains."""
    stated, found = row["calc_tokens_per_s_per_chip"], _of_step(row)
    if not stated or not found or 0.01 < float(found) / float(stated) < 100:
        return ""
    return (
        f"step_time_s {row['step_time_s']} means {float(found):.4g} tokens/s a chip, but "
        f"calc_tokens_per_s_per_chip is {stated}; is a unit off by 1,000?"
    )


def _of_step(row: Row) -> str:
    """Return the tokens a second and chip that a row's step time means, '' where it or the batch is not a number."""
    step, *counts = (_number(row.get(key, "")) for key in ("step_time_s", "global_batch_seqs", "seq_len", "n_chips"))
    if not step or not all(counts):
        return ""
    batch, sequence, chips = counts
    return repr(batch * sequence / (step * chips))


def _number(text: str) -> float:
    """Return a cell's number above zero; 0 where it is blank or none, which `complaint` names with its column."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def _remark(text: str) -> str:
    if re.search(r"\blora\b", text, re.IGNORECASE):
        return LORA
    if re.search(r"\bknown \w+ performance regression\b", text):
        return DEFECT
    return AVERAGE if AVERAGE in text else ""


def _recipe(notes: str) -> str:
    marks = {
        BLOCK_SCALED: r"MXFP8|FP8-MX|second granularity|subchannel",
        EITHER: "FP8 or NVFP4",
        DROPPED: DROPPED,
        OVERLAPPED: "comm overlap on",
        EAGER: r"no torch\.compile",
        UNFUSED: "no flash attention",
        EVALUATED: "INCLUDES evaluation",
    }
    found = [name for name, mark in marks.items() if re.search(mark, notes)]
    if match := _EXPERT_RANKS.search(notes):
        found.append(f"{EXPERT_RANKS} {match[1]}")
    return "; ".join(found)


_EXPERT_RANKS = re.compile(r"\bETP (\d+)")
_PER_CHIP = re.compile(r"(\d+) ?Gb/s per (?:GPU|chip|NPU|accelerator)", re.IGNORECASE)
_PER_NODE = re.compile(r"(\d+) ?Gb(?:/s|ps)(?:/| per )node", re.IGNORECASE)
_CARDS = re.compile(r"(\d+) ?x ?(?:[A-Za-z][\w-]* ?)*?(\d+) ?Gb?(?:/s)?\b", re.IGNORECASE)
_CLOUDS = {"EFA (AWS p4d)": 50, "EFA (AWS p5": 400, "EFA (trn1 800": 100, "GCP A3 Mega": 200, "GCP A4": 400}


def _scaleout(row: Row) -> str:
    """Return the Gb/s of a chip into the network between servers, where the description of the network gives it."""
    text, node = row["interconnect_inter"], _number(row["chips_per_node"] or "8")
    for mark, rate in _CLOUDS.items():
        if text.startswith(mark):
            return str(rate)
    if match := _PER_CHIP.search(text):
        return match[1]
    if not node:
        return ""
    if match := _PER_NODE.search(text):
        return f"{float(match[1]) / node:g}"
    compute = text.partition("Compute:")[2] or text
    compute = compute.partition("Management")[0]
    if "Omni-Path" in text:
        return f"{4 * 100 / node:g}"  # a link of Omni-Path 100 carries 100 Gb/s
    if match := _CARDS.search(compute):
        return f"{float(match[1]) * float(match[2]) / node:g}"
    return ""
