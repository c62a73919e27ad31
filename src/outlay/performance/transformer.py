"""Counts of a transformer: parameters, FLOPs, bytes, activations, KV cache, and the GEMMs of a layer.

Sources of the formulas: Kaplan et al., arXiv:2001.08361, section 2.1 (parameters and FLOPs per token); Narayanan et
al., arXiv:2104.04473, section 5.1 and appendix (FLOPs with the vocabulary); Korthikanti et al., arXiv:2205.05198,
section 4 (activation bytes); DeepSeek-AI, arXiv:2405.04434, section 2.1 (multi-head latent attention); Ainslie et al.,
arXiv:2305.13245 (grouped-query attention). FLOPs count a multiply-add as two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outlay.catalog.records import Model
from outlay.errors import MissingFigureError
from outlay.performance import state_space
from outlay.performance.arrays import Number, as_number, namespace


@dataclass(frozen=True)
class Architecture:
    """The dimensions of a decoder-only transformer, or of many as arrays (:func:`arrays.stacked`).

    Attributes
    ----------
    layers, dense_layers
        All transformer layers, and how many of them have a dense FFN; the others are mixture-of-experts layers.
    ffn_hidden
        Width of the dense FFN; 0 where there is none.
    gated
        Whether the FFNs have a gate (SwiGLU: three matrices) or not (two).
    kv_lora, q_lora, qk_nope, qk_rope, v_head
        Multi-head latent attention: ranks of the latent and head widths; 0 elsewhere. ``q_lora`` 0 means a full query
        matrix.
    moe_ffn, shared_ffn
        Width of one routed expert, and of all shared experts of a layer together.
    expert_bias
        Whether routed experts add a bias to what they return and clamp what their activation function reads.
    parallel_block
        Whether attention and FFN read the same normed input and are added together (arXiv:2204.02311, section 2).
    moe_every
        1: every layer after the dense ones is MoE; 2: every second layer is.
    window, window_every
        Sliding window in tokens (0: none) and its pattern: of ``window_every`` layers one attends fully, the others
        in the window; 0: all of them in the window.
    ssm_layers, ssm_heads, ssm_head_dim, ssm_state, ssm_groups
        Of a hybrid, how many layers have a Mamba-2 block in place of attention; its heads, their width, the state of
        a head and the groups that share state projections. A layer without an FFN counts as dense with none.
    mtp_layers
        Multi-token-prediction layers, trained beside the others and not counted in the parameters of the served model.
    assumptions
        What was assumed of the dimensions, in words.
    """

    name: str
    layers: Number
    hidden: Number
    heads: Number
    kv_heads: Number
    head_dim: Number
    ffn_hidden: Number
    gated: Number
    vocab: Number
    dense_layers: Number = -1
    tied: Number = False
    q_lora: Number = 0
    kv_lora: Number = 0
    qk_nope: Number = 0
    qk_rope: Number = 0
    v_head: Number = 0
    experts: Number = 0
    top_k: Number = 0
    shared_experts: Number = 0
    moe_ffn: Number = 0
    shared_ffn: Number = 0
    expert_bias: Number = False
    parallel_block: Number = False
    moe_every: Number = 1
    window: Number = 0
    window_every: Number = 1
    ssm_layers: Number = 0
    ssm_heads: Number = 0
    ssm_head_dim: Number = 0
    ssm_state: Number = 0
    ssm_groups: Number = 0
    mtp_layers: Number = 0
    context: Number = 0
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if np.ndim(self.dense_layers) == 0 and self.dense_layers < 0:
            object.__setattr__(self, "dense_layers", 0 if self.experts else self.layers)

    @property
    def latent(self) -> Number:
        """Whether its attention is multi-head latent attention."""
        return np.asarray(self.kv_lora) > 0

    @property
    def moe_layers(self) -> Number:
        """Layers whose FFN is a mixture of experts."""
        return self.layers - self.dense_layers

    @property
    def attending(self) -> Number:
        """Share of the layers that have attention; the others have a state-space block."""
        return 1 - self.ssm_layers / self.layers

    @property
    def windowed(self) -> Number:
        """Share of the layers with attention that attend in the window, where there is one."""
        every = np.asarray(self.window_every, dtype=float)
        return as_number(1 - np.where(every > 0, 1 / np.maximum(every, 1), 0.0))

    @property
    def qk_dim(self) -> Number:
        """Width of a query and key head."""
        return as_number(np.where(self.latent, self.qk_nope + self.qk_rope, self.head_dim))

    @property
    def v_dim(self) -> Number:
        """Width of a value head."""
        return as_number(np.where(self.latent, self.v_head, self.head_dim))

    @property
    def ffn_matrices(self) -> Number:
        """Matrices of an FFN: 3 with a gate, 2 without."""
        return 2 + self.gated


@dataclass(frozen=True)
class Parameters:
    """Parameter counts; ``active`` counts those a token passes through, with both vocabulary matrices.

    ``attention`` is that of a mean layer: of a hybrid, its state-space blocks have their part in it.
    """

    total: Number
    active: Number
    embedding: Number
    head: Number
    attention: Number
    dense_ffn: Number
    expert: Number
    router: Number
    shared: Number

    @property
    def active_matmul(self) -> Number:
        """Active parameters that multiply, without the input embedding, a look-up; six times this is the FLOPs."""
        return self.active - self.head


@dataclass(frozen=True)
class Gemm:
    """``count`` matrix products (m x k) times (k x n) per chip; ``groups`` of them in one grouped kernel."""

    name: str
    m: Number
    n: Number
    k: Number
    count: Number = 1.0
    groups: Number = 1.0
    grouped: bool = False

    @property
    def flops(self) -> Number:
        """Forward FLOPs of all of them."""
        return 2.0 * self.m * self.n * self.k * self.count * self.groups


_PLAIN_ATTENTION = ("mha", "mha (alibi)", "gqa", "mqa")
_WINDOWED = re.compile(r"gqa, alternating sliding[_ ]window[_ ](\d+)/full")
_HYBRID = re.compile(r"hybrid: (\d+) mamba-2, (\d+) attention, (\d+) moe layers")
_ALWAYS = ("layers", "hidden", "heads", "vocab")
_STATE_SPACE = ("ssm_heads", "ssm_head_dim", "ssm_state", "ssm_groups")


def architecture(model: Model) -> Architecture:
    """Return the architecture of a catalogue model.

    Raises
    ------
    MissingFigureError
        If a dimension is in no source (every missing one is named), or if the attention is of a kind whose operations
        are not modelled (linear attention, sparse patterns): approximating it would be a guess.
    """
    if hybrid := _HYBRID.fullmatch((model.text("attention") or "").casefold()):
        return _hybrid(model, *(int(count) for count in hybrid.groups()))
    latent, window, window_every = _attention(model)
    moe = model.text("experts") is not None
    wanted = [*_ALWAYS]
    wanted += ["mla_kv_lora", "mla_qk_nope", "mla_qk_rope", "mla_v_head"] if latent else ["kv_heads", "head_dim"]
    wanted += ["experts", "top_k", "moe_ffn_hidden", "dense_layers"] if moe else ["ffn_hidden"]
    dense = int(model.number("dense_layers") or 0)
    if moe and dense:
        wanted.append("ffn_hidden")
    missing = [name for name in wanted if model.number(name) is None]
    if model.text("ffn_gated") is None:
        missing.append("ffn_gated")
    if missing:
        msg = f"model {model.name!r}: no source gives {', '.join(missing)}; its operations cannot be counted"
        raise MissingFigureError(msg)

    def whole(name: str) -> int:
        return int(model.number(name) or 0)

    tied = model.text("tied_embeddings")
    assumptions = (
        () if tied else ("input and output embedding taken as two matrices: no source says whether they are tied",)
    )
    shared = whole("shared_ffn_hidden") or whole("shared_experts") * whole("moe_ffn_hidden")
    return Architecture(
        name=model.name,
        layers=whole("layers"),
        dense_layers=dense if moe else whole("layers"),
        hidden=whole("hidden"),
        heads=whole("heads"),
        kv_heads=whole("kv_heads"),
        head_dim=whole("head_dim"),
        ffn_hidden=whole("ffn_hidden"),
        gated=_yes(model.text("ffn_gated")),
        vocab=whole("vocab"),
        tied=_yes(tied),
        q_lora=whole("mla_q_lora"),
        kv_lora=whole("mla_kv_lora"),
        qk_nope=whole("mla_qk_nope"),
        qk_rope=whole("mla_qk_rope"),
        v_head=whole("mla_v_head"),
        experts=whole("experts"),
        top_k=whole("top_k"),
        shared_experts=whole("shared_experts"),
        moe_ffn=whole("moe_ffn_hidden"),
        shared_ffn=shared if whole("shared_experts") else 0,
        expert_bias=_yes(model.text("expert_bias")),
        moe_every=2 if moe and dense * 2 == whole("layers") else 1,
        window=window,
        window_every=window_every,
        mtp_layers=whole("mtp_layers"),
        context=whole("context"),
        assumptions=assumptions,
    )


def _hybrid(model: Model, state_space: int, attention: int, moe: int) -> Architecture:
    """Return a model whose blocks are state-space, attention or FFN alone, as layers of a mixer and, some, an FFN."""
    missing = [name for name in _STATE_SPACE if model.number(name) is None]
    if missing:
        msg = f"model {model.name!r}: no source gives {', '.join(missing)}; its operations cannot be counted"
        raise MissingFigureError(msg)
    figure = replace(model.figures["attention"], value="GQA")
    plain = architecture(replace(model, figures={**model.figures, "attention": figure}))
    sizes: dict[str, Any] = {name: int(model.number(name) or 0) for name in _STATE_SPACE}
    layers = state_space + attention
    return replace(plain, layers=layers, dense_layers=layers - moe, moe_every=1, ssm_layers=state_space, **sizes)


def _attention(model: Model) -> tuple[bool, int, int]:
    """Return whether the attention is latent, its window (0: none), and of how many layers one attends fully."""
    text = model.text("attention")
    if text is None:
        msg = f"model {model.name!r}: no source gives its attention; its operations cannot be counted"
        raise MissingFigureError(msg)
    folded = text.casefold().strip()
    if folded in (*_PLAIN_ATTENTION, "mla"):
        return folded == "mla", 0, 1
    if match := _WINDOWED.match(folded):
        return False, int(match[1]), 2
    msg = (
        f"model {model.name!r}: its attention is {text!r}, which is not modelled; "
        "modelled are MHA, MQA, GQA, MLA and alternating sliding windows, in every layer, and Mamba-2 hybrids with "
        "mixtures of experts"
    )
    raise MissingFigureError(msg)


def _yes(text: str | None) -> bool:
    return str(text).casefold() in {"yes", "true", "1", "1.0"}


def attention_parameters(arch: Architecture) -> Number:
    """Return the parameters of one layer's attention (arXiv:2405.04434, equations 1-12, for the latent kind)."""
    h, a = arch.hidden, arch.heads
    query = np.where(np.asarray(arch.q_lora) > 0, (h + a * arch.qk_dim) * arch.q_lora, h * a * arch.qk_dim)
    latent = h * (arch.kv_lora + arch.qk_rope) + arch.kv_lora * a * (arch.qk_nope + arch.v_head)
    plain = 2 * h * a * arch.head_dim + 2 * h * arch.kv_heads * arch.head_dim
    return as_number(np.where(arch.latent, query + latent + a * arch.v_head * h, plain))


def parameters(arch: Architecture) -> Parameters:
    """Return the parameter counts, without biases, norms and position embeddings (below 0.1 % together)."""
    h = arch.hidden
    attention = attention_parameters(arch)
    if np.any(arch.ssm_layers):
        attention = arch.attending * attention + (1 - arch.attending) * state_space.block_parameters(arch)
    dense_ffn = arch.ffn_matrices * h * arch.ffn_hidden
    expert = arch.ffn_matrices * h * arch.moe_ffn
    shared = arch.ffn_matrices * h * arch.shared_ffn
    router = h * arch.experts
    embedding = arch.vocab * h
    head = as_number(np.where(arch.tied, 0.0, embedding))
    common = (
        arch.layers * attention + arch.dense_layers * dense_ffn + arch.moe_layers * (router + shared) + embedding + head
    )
    return Parameters(
        total=common + arch.moe_layers * arch.experts * expert,
        active=common + arch.moe_layers * arch.top_k * expert,
        embedding=embedding,
        head=head,
        attention=attention,
        dense_ffn=dense_ffn,
        expert=expert,
        router=router,
        shared=shared,
    )


def attended(arch: Architecture, sequence: Number, causal: bool = True) -> Number:
    """Return the positions a token attends to, the mean over the sequence and over the layers.

    Notes
    -----
    Full causal attention: (s+1)/2, taken as s/2 as the field does. A window w < s: w - w**2 / (2 s).
    """
    xp = namespace(sequence)
    s = xp.asarray(sequence, dtype=float)
    full = s / 2 if causal else s
    if not np.any(arch.window):
        return full
    w = xp.minimum(xp.where(xp.asarray(arch.window) > 0, arch.window, s), s)
    within = w - w * w / (2 * s) if causal else w
    return full + arch.windowed * (within - full)


def attention_flops(arch: Architecture, queries: Number, context: Number, tp: Number = 1) -> Number:
    """Return the forward FLOPs of a layer's score and value products, each of ``queries`` attending to ``context``."""
    return 2.0 * queries * context * arch.heads * (arch.qk_dim + arch.v_dim) / tp


@dataclass(frozen=True)
class Flops:
    """Forward FLOPs of one token, by where they are spent."""

    gemm: Number
    attention: Number
    vocab: Number

    @property
    def total(self) -> Number:
        """All of them."""
        return self.gemm + self.attention + self.vocab


def forward_flops_per_token(arch: Architecture, sequence: Number, causal: bool = True) -> Flops:
    """Return the forward FLOPs of a token in a sequence; training takes three times this (arXiv:2001.08361, 2.1)."""
    context = attended(arch, sequence, causal)
    vocab = 2.0 * arch.vocab * arch.hidden
    return Flops(
        gemm=2.0 * parameters(arch).active_matmul - vocab + 0.0 * context,
        attention=arch.layers * arch.attending * attention_flops(arch, 1.0, context)
        + arch.ssm_layers * state_space.scan_flops(arch),
        vocab=vocab + 0.0 * context,
    )


def kv_bytes_per_token(arch: Architecture, bytes_per_value: float = 2.0) -> Number:
    """Return the bytes of KV cache of a token over all layers; latent attention keeps latent and rotary key."""
    plain = 2 * arch.kv_heads * arch.head_dim
    return arch.layers * as_number(np.where(arch.latent, arch.kv_lora + arch.qk_rope, plain)) * bytes_per_value


def layer_gemms(
    arch: Architecture,
    tokens: Number,
    tp: Number = 1,
    ep: Number = 1,
    *,
    moe: bool = False,
    etp: Number | None = None,
) -> list[Gemm]:
    """Return the forward GEMMs one chip does in one layer.

    Parameters
    ----------
    tokens
        Tokens that pass the layer together on one tensor-parallel group.
    tp
        Tensor-parallel ranks. Attention heads and FFN columns are cut by it; a key/value head is never cut, but
        repeated.
    ep
        Expert-parallel ranks.
    moe
        Whether the layer is a mixture-of-experts layer or a dense one.
    etp
        Ranks that cut one expert. Where it is left out an expert is whole with ``ep`` > 1 and cut by ``tp``
        otherwise; the tokens of the group are shared out over the tensor-parallel ranks that do not cut an expert.
    """
    return attention_gemms(arch, tokens, tp) + (
        moe_gemms(arch, tokens, tp, ep, etp) if moe else dense_gemms(arch, tokens, tp)
    )


def attention_gemms(arch: Architecture, tokens: Number, tp: Number = 1) -> list[Gemm]:
    """Return the projections of one layer's attention; of a stack of models, each counts where a model has it."""
    xp = namespace(tokens, tp)
    t, h, heads = xp.asarray(tokens, dtype=float), arch.hidden, arch.heads / xp.asarray(tp, dtype=float)
    latent, ranked = np.asarray(arch.latent), np.asarray(arch.q_lora) > 0
    kv_heads = xp.maximum(arch.kv_heads / xp.asarray(tp, dtype=float), 1.0)
    query = heads * arch.qk_dim
    found = [
        Gemm("query key value", t, (heads + 2 * kv_heads) * arch.head_dim, h, ~latent),
        Gemm("query", t, query, h, latent & ~ranked),
        Gemm("query down", t, arch.q_lora, h, latent & ranked),
        Gemm("query up", t, query, arch.q_lora, latent & ranked),
        Gemm("latent down", t, arch.kv_lora + arch.qk_rope, h, latent),
        Gemm("latent up", t, heads * (arch.qk_nope + arch.v_head), arch.kv_lora, latent),
        Gemm("attention output", t, h, heads * arch.v_dim),
    ]
    return [gemm for gemm in found if np.any(gemm.count)]


def dense_gemms(arch: Architecture, tokens: Number, tp: Number = 1) -> list[Gemm]:
    """Return the GEMMs of a dense FFN."""
    width = arch.ffn_hidden / namespace(tp).asarray(tp, dtype=float)
    has = np.asarray(arch.ffn_hidden) > 0
    return [
        Gemm("ffn up", tokens, (1 + arch.gated) * width, arch.hidden, has),
        Gemm("ffn down", tokens, arch.hidden, width, has),
    ]


def state_space_gemms(arch: Architecture, tokens: Number, tp: Number = 1) -> list[Gemm]:
    """Return the projections into and out of a Mamba-2 block (arXiv:2405.21060, section 7.1), cut over its heads."""
    ranks = namespace(tp).asarray(tp, dtype=float)
    return [
        Gemm("state-space in", tokens, state_space.projected(arch) / ranks, arch.hidden),
        Gemm("state-space out", tokens, arch.hidden, state_space.inner(arch) / ranks),
    ]


def moe_gemms(
    arch: Architecture, tokens: Number, tp: Number = 1, ep: Number = 1, etp: Number | None = None
) -> list[Gemm]:
    """Return the router, the routed experts as grouped GEMMs with even routing, and the shared experts."""
    xp = namespace(tokens, tp, ep, etp)
    t, tp, ep = (xp.asarray(value, dtype=float) for value in (tokens, tp, ep))
    expert_tp = xp.where(ep > 1, 1.0, tp) if etp is None else xp.asarray(etp, dtype=float)
    experts, h = np.maximum(arch.experts, 1), arch.hidden
    local = xp.maximum(experts / ep, 1.0)
    routed = t * expert_tp / tp * ep * arch.top_k / experts
    width, shared = arch.moe_ffn / expert_tp, arch.shared_ffn / tp
    has_shared = np.asarray(arch.shared_ffn) > 0
    found = [
        Gemm("router", t / tp, arch.experts, h),
        Gemm("expert up", routed, (1 + arch.gated) * width, h, groups=local, grouped=True),
        Gemm("expert down", routed, h, width, groups=local, grouped=True),
        Gemm("shared up", t, (1 + arch.gated) * shared, h, has_shared),
        Gemm("shared down", t, h, shared, has_shared),
    ]
    return [gemm for gemm in found if np.any(gemm.count)]


def vocab_gemm(arch: Architecture, tokens: Number, tp: Number = 1) -> Gemm:
    """Return the GEMM of the output head, cut over the vocabulary."""
    return Gemm("output head", tokens, arch.vocab / namespace(tp).asarray(tp, dtype=float), arch.hidden)
