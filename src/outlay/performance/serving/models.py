"""Models as they are served: the dimensions of the catalogue, and attention that is linear, sparse or compressed.

Formulas and their sources: gated delta-net and lightning attention keep a matrix of state a head instead of a cache
that grows (arXiv:2412.06464, section 3; arXiv:2501.08313, section 2.2); state-space layers likewise (arXiv:2405.21060,
section 6); sparse attention reads an index of every token and the whole cache of the best few (arXiv:2512.02556,
section 2.1). ``data/served_models.csv`` gives the numbers with their sources, or says that they
are assumed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.catalog.store import folded
from outlay.errors import CatalogError, MissingFigureError
from outlay.evidence import Figure, Source
from outlay.performance.chip import rows
from outlay.performance.transformer import Architecture, architecture, attention_flops, kv_bytes_per_token, parameters

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Model

Array = NDArray[np.float64]
STATE_BYTES = 4.0
"""Bytes of a value of state: fp32, the default of the kernels of flash-linear-attention and Mamba-2."""
INDEX_BYTES = 1.0
"""Bytes of a value of a sparse attention's index: fp8 (arXiv:2512.02556, section 2.1)."""
ACCEPTANCE = 0.70
"""Share of drafted tokens accepted one after another where a run does not say, as engines measured it with MTP: 70 % of
one draft (arXiv:2506.12708, table 4), 2.18 and 2.44 tokens a step with two and three (lmsys.org/blog/2025-07-17-mtp),
which is 70 and 66 % each. DeepSeek's own 85 to 90 % (arXiv:2412.19437, 5.4.3) is of one draft."""
BLOCK_SCALED = ("DeepSeek-", "GLM-", "Kimi-", "MiniMax-", "Qwen")
"""Makers' names for mixtures of experts whose fp8 checkpoints have a scale for each block of 128 x 128 weights
(``weight_block_size`` of the model configs in github.com/ai-dynamo/aiconfigurator at 095f58a51); those of other makers,
and Nvidia's of dense models, have one for a matrix or a row."""
_SIZES = ("layers", "dense_layers", "hidden", "ffn_hidden", "heads", "kv_heads", "head_dim", "vocab")
_MOE = ("experts", "top_k", "moe_ffn", "shared_ffn")
_ATTENTION = ("full_every", "state_values", "sparse_top", "index_values", "kv_compress")


@dataclass(frozen=True)
class Served:
    """An architecture and what its attention keeps and reads.

    Attributes
    ----------
    full_every
        Of so many layers one attends to all tokens before it; the others keep a state of ``state_values`` a request.
    sparse_top, index_values
        Entries that sparse attention reads whole, 0 for all of them, and values of the index it reads of every entry.
    kv_compress
        Tokens an entry of the cache stands for.
    assumptions
        What was assumed of it, in words.
    """

    arch: Architecture
    full_every: float = 1.0
    state_values: float = 0.0
    sparse_top: float = 0.0
    index_values: float = 0.0
    kv_compress: float = 1.0
    assumptions: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What its layers are made of, in words by which published runs resemble each other."""
        arch = self.arch
        mixed = "latent" if arch.kv_lora else "linear" if self.full_every > 1 else "window" if arch.window else "plain"
        return ("moe " if arch.experts else "dense ") + mixed

    @property
    def block_scaled(self) -> bool:
        """Whether its fp8 checkpoint has scales by the block, so that its GEMMs are those of ``fp8_block``."""
        return bool(self.arch.experts) and self.arch.name.startswith(BLOCK_SCALED)

    def stored_bytes(self, context: ArrayLike, value_bytes: float) -> Array:
        """Return the bytes a request of ``context`` tokens keeps over all layers, its cache and its state."""
        arch, length = self.arch, np.asarray(context, dtype=float)
        kept = _windowed(arch, length) / self.kv_compress / self.full_every
        cache = kept * (kv_bytes_per_token(arch, value_bytes) + arch.layers * self.index_values * INDEX_BYTES)
        return np.asarray(cache + self._states * STATE_BYTES)

    def read_bytes(self, context: ArrayLike, value_bytes: float) -> Array:
        """Return the bytes a token of a request of ``context`` tokens moves: cache read, state read and written."""
        arch = self.arch
        entries = _windowed(arch, np.asarray(context, dtype=float)) / self.kv_compress
        whole = np.minimum(entries, self.sparse_top) if self.sparse_top else entries
        index = entries * arch.layers * self.index_values * INDEX_BYTES
        cache = (whole * kv_bytes_per_token(arch, value_bytes) + index) / self.full_every
        return np.asarray(cache + 2.0 * self._states * STATE_BYTES)

    def flops(self, queries: ArrayLike, context: ArrayLike, *, absorbed: bool) -> Array:
        """Return the attention FLOPs of a mean layer, of ``queries`` each attending to ``context`` tokens.

        ``absorbed`` is latent attention as decode does it: queries and values live in the latent (arXiv:2405.04434,
        section 2.1).
        """
        arch = self.arch
        queries, entries = np.asarray(queries, dtype=float), np.asarray(context, dtype=float) / self.kv_compress
        if self.sparse_top:
            entries = np.minimum(entries, self.sparse_top) + entries * self.index_values / (2.0 * arch.qk_dim)
        full = attention_flops(arch, queries, _windowed(arch, entries))
        if absorbed and arch.kv_lora:
            full = 2.0 * queries * entries * arch.heads * (2 * arch.kv_lora + arch.qk_rope)
        linear = (1.0 - 1.0 / self.full_every) * 4.0 * queries * self.state_values
        return np.asarray(full / self.full_every + linear)

    @property
    def _states(self) -> float:
        """Values of state of a request over all layers."""
        return float(self.arch.layers * (1.0 - 1.0 / self.full_every) * self.state_values)


def _windowed(arch: Architecture, length: Array) -> Array:
    """Return the tokens a mean layer keeps of ``length``, of which layers with a window keep the window alone."""
    if not arch.window:
        return length
    return np.asarray((length + (arch.window_every - 1) * np.minimum(length, float(arch.window))) / arch.window_every)


def served(model: Model | Architecture) -> Served:
    """Return a catalogue model as it is served.

    Raises
    ------
    MissingFigureError
        If a dimension is in no source.
    """
    if isinstance(model, Architecture):
        return Served(model)
    row = _table().get(folded(model.name))
    if row is None:
        return Served(architecture(_plain(model)[0]), assumptions=_plain(model)[1])
    return _with(row, model)


def served_named(catalog: Catalog, name: str, total_b: float | None = None, active_b: float | None = None) -> Served:
    """Return a model by its name; one the catalogue lacks is the nearest known one scaled to its parameters.

    Raises
    ------
    CatalogError
        If the name is unknown and no parameter count is given.
    """
    row = _table().get(folded(name))
    if row is not None:
        return _with(row, catalog.model(row["base"]) if row["base"] else None)
    try:
        return served(catalog.model(name))
    except (CatalogError, MissingFigureError):
        if not total_b:
            raise
    return _scaled(catalog, name, total_b, active_b or total_b)


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    return {folded(row["name"]): row for row in rows("served_models.csv")}


def _plain(model: Model, *, known: bool = False) -> tuple[Model, tuple[str, ...]]:
    """Return a model whose attention is one that can be counted, and what that assumes of it."""
    text = (model.text("attention") or "").casefold()
    if not any(word in text for word in ("hybrid", "sparse", "sliding", "sharing")) or "alternating" in text:
        return model, ()
    latent = model.number("mla_kv_lora") is not None
    figure = Figure("MLA" if latent else "GQA", "", "assumed", Source("counted as its full layers", "", ""))
    moe = {} if model.text("ffn_gated") else {"ffn_gated": Figure("yes", "", "assumed", figure.source)}
    said = () if known else (f"attention {text!r} taken as full attention in every layer",)
    head = {} if model.number("head_dim") else {"head_dim": Figure(128.0, "", "assumed", figure.source)}
    return replace(model, figures={**model.figures, "attention": figure, **moe, **head}), said


def _with(row: dict[str, str], model: Model | None) -> Served:
    """Return a model with what its row gives in place of the catalogue's figures."""
    given: dict[str, Any] = {name: float(row[name]) for name in (*_SIZES, *_MOE) if row[name]}
    if model is None:
        sizes: dict[str, Any] = {name: int(given.get(name, 0)) for name in (*_SIZES, *_MOE)}
        if "experts" not in given:
            sizes["dense_layers"] = -1
        base = Architecture(
            name=row["name"],
            gated=row["gated"] == "1",
            **sizes,
        )
    else:
        base = replace(architecture(_plain(model, known=True)[0]), name=row["name"], **given)
        if not base.experts:
            base = replace(base, dense_layers=base.layers)
    attention = {name: float(row[name]) for name in _ATTENTION if row[name]}
    same = model is not None and folded(model.name) == folded(row["name"])
    said = () if same and not attention else (f"{row['name']}: {row['source']}",)
    return Served(base, assumptions=said, **attention)


def _scaled(catalog: Catalog, name: str, total_b: float, active_b: float) -> Served:
    """Return the known model nearest in parameters, its layers and experts scaled to the counts given."""
    sparse, best = active_b < 0.9 * total_b, None
    for model in catalog.models.values():
        try:
            arch = architecture(model)
        except MissingFigureError:
            continue
        if bool(arch.experts) != sparse or arch.ssm_layers:
            continue
        counts = parameters(arch)
        away = abs(math.log(counts.active / active_b / 1e9)) + abs(math.log(counts.total / total_b / 1e9))
        if best is None or away < best[0]:
            best = away, arch, counts
    if best is None:
        msg = f"model {name!r} is unknown, and no model is near its {total_b:g} billion parameters"
        raise MissingFigureError(msg)
    _, arch, counts = best
    layers = max(1.0, arch.layers * active_b * 1e9 / counts.active)
    dense = arch.dense_layers * layers / arch.layers
    routed = total_b / active_b * counts.active / counts.total
    scaled = replace(arch, name=name, layers=layers, dense_layers=dense, experts=arch.experts * routed)
    return Served(scaled, assumptions=(f"{name} is not known: {arch.name} scaled to {total_b:g} billion parameters",))
