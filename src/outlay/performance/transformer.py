"""Counts of a transformer: parameters, FLOPs, bytes, activations, KV cache, and the GEMMs of a layer.

Sources of the formulas: Kaplan et al., arXiv:2001.08361, section 2.1 (parameters and FLOPs per token); Narayanan et
al., arXiv:2104.04473, section 5.1 and appendix (FLOPs with the vocabulary); Korthikanti et al., arXiv:2205.05198,
section 4 (activation bytes); DeepSeek-AI, arXiv:2405.04434, section 2.1 (multi-head latent attention); Ainslie et al.,
arXiv:2305.13245 (grouped-query attention). FLOPs count a multiply-add as two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.catalog.records import Model
from outlay.errors import MissingFigureError

Array = NDArray[np.float64]
Attention = Literal["mha", "gqa", "mla"]


@dataclass(frozen=True)
class Architecture:
    """The dimensions of a decoder-only transformer.

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
    moe_every
        1: every layer after the dense ones is MoE; 2: every second layer is.
    window, window_every
        Sliding window in tokens (0: none) and its pattern: of ``window_every`` layers one attends fully, the others
        in the window.
    mtp_layers
        Multi-token-prediction layers, trained beside the others and not counted in the parameters of the served model.
    assumptions
        What was assumed of the dimensions, in words.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_hidden: int
    gated: bool
    vocab: int
    dense_layers: int = -1
    tied: bool = False
    attention: Attention = "gqa"
    q_lora: int = 0
    kv_lora: int = 0
    qk_nope: int = 0
    qk_rope: int = 0
    v_head: int = 0
    experts: int = 0
    top_k: int = 0
    shared_experts: int = 0
    moe_ffn: int = 0
    shared_ffn: int = 0
    moe_every: int = 1
    window: int = 0
    window_every: int = 1
    mtp_layers: int = 0
    context: int = 0
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.dense_layers < 0:
            object.__setattr__(self, "dense_layers", 0 if self.experts else self.layers)

    @property
    def moe_layers(self) -> int:
        """Layers whose FFN is a mixture of experts."""
        return self.layers - self.dense_layers

    @property
    def qk_dim(self) -> int:
        """Width of a query and key head."""
        return self.qk_nope + self.qk_rope if self.attention == "mla" else self.head_dim

    @property
    def v_dim(self) -> int:
        """Width of a value head."""
        return self.v_head if self.attention == "mla" else self.head_dim

    @property
    def ffn_matrices(self) -> int:
        """Matrices of an FFN: 3 with a gate, 2 without."""
        return 3 if self.gated else 2


@dataclass(frozen=True)
class Parameters:
    """Parameter counts; ``active`` counts those a token passes through, with both vocabulary matrices."""

    total: float
    active: float
    embedding: float
    head: float
    attention: float
    dense_ffn: float
    expert: float
    router: float
    shared: float

    @property
    def active_matmul(self) -> float:
        """Active parameters that multiply, without the input embedding, a look-up; six times this is the FLOPs."""
        return self.active - self.embedding + (self.embedding if self.head == 0 else 0.0)


@dataclass(frozen=True)
class Gemm:
    """``count`` matrix products (m x k) times (k x n) per chip; ``groups`` of them in one grouped kernel."""

    name: str
    m: Array
    n: Array
    k: Array
    count: Array
    groups: Array
    grouped: bool = False

    @property
    def flops(self) -> Array:
        """Forward FLOPs of all of them."""
        return 2.0 * self.m * self.n * self.k * self.count * self.groups


_PLAIN_ATTENTION = {"mha": "mha", "mha (alibi)": "mha", "gqa": "gqa", "mqa": "gqa", "mla": "mla"}
_WINDOWED = re.compile(r"gqa, alternating sliding[_ ]window[_ ](\d+)/full")
_ALWAYS = ("layers", "hidden", "heads", "vocab")


def architecture(model: Model) -> Architecture:
    """Return the architecture of a catalogue model.

    Raises
    ------
    MissingFigureError
        If a dimension is in no source (every missing one is named), or if the attention is of a kind whose operations
        are not modelled (linear attention, state-space layers, sparse patterns): approximating it would be a guess.
    """
    kind, window, window_every = _attention(model)
    moe = model.text("experts") is not None
    wanted = [*_ALWAYS]
    wanted += ["mla_kv_lora", "mla_qk_nope", "mla_qk_rope", "mla_v_head"] if kind == "mla" else ["kv_heads", "head_dim"]
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
        attention=kind,
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
        moe_every=2 if moe and dense * 2 == whole("layers") else 1,
        window=window,
        window_every=window_every,
        mtp_layers=whole("mtp_layers"),
        context=whole("context"),
        assumptions=assumptions,
    )


def _attention(model: Model) -> tuple[Attention, int, int]:
    text = model.text("attention")
    if text is None:
        msg = f"model {model.name!r}: no source gives its attention; its operations cannot be counted"
        raise MissingFigureError(msg)
    folded = text.casefold().strip()
    if folded in _PLAIN_ATTENTION:
        kind: Attention = _PLAIN_ATTENTION[folded]  # type: ignore[assignment]
        return kind, 0, 1
    if match := _WINDOWED.match(folded):
        return "gqa", int(match[1]), 2
    msg = (
        f"model {model.name!r}: its attention is {text!r}, which is not modelled; "
        "modelled are MHA, MQA, GQA, MLA and alternating sliding windows, in every layer"
    )
    raise MissingFigureError(msg)


def _yes(text: str | None) -> bool:
    return str(text).casefold() in {"yes", "true", "1", "1.0"}


def attention_parameters(arch: Architecture) -> float:
    """Return the parameters of one layer's attention (arXiv:2405.04434, equations 1-12, for the latent kind)."""
    h, a = arch.hidden, arch.heads
    if arch.attention == "mla":
        query = h * arch.q_lora + arch.q_lora * a * arch.qk_dim if arch.q_lora else h * a * arch.qk_dim
        latent = h * (arch.kv_lora + arch.qk_rope) + arch.kv_lora * a * (arch.qk_nope + arch.v_head)
        return float(query + latent + a * arch.v_head * h)
    return float(2 * h * a * arch.head_dim + 2 * h * arch.kv_heads * arch.head_dim)


def parameters(arch: Architecture) -> Parameters:
    """Return the parameter counts, without biases, norms and position embeddings (below 0.1 % together)."""
    h = arch.hidden
    attention = attention_parameters(arch)
    dense_ffn = float(arch.ffn_matrices * h * arch.ffn_hidden)
    expert = float(arch.ffn_matrices * h * arch.moe_ffn)
    shared = float(arch.ffn_matrices * h * arch.shared_ffn)
    router = float(h * arch.experts)
    embedding = float(arch.vocab * h)
    head = 0.0 if arch.tied else embedding
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


def attended(arch: Architecture, sequence: ArrayLike, causal: bool = True) -> Array:
    """Return the positions a token attends to, the mean over the sequence and over the layers.

    Notes
    -----
    Full causal attention: (s+1)/2, taken as s/2 as the field does. A window w < s: w - w**2 / (2 s).
    """
    s = np.asarray(sequence, dtype=float)
    full = s / 2 if causal else s
    if not arch.window:
        return full
    w = np.minimum(float(arch.window), s)
    windowed = w - w * w / (2 * s) if causal else w
    return np.asarray((full + (arch.window_every - 1) * windowed) / arch.window_every)


def attention_flops(arch: Architecture, queries: ArrayLike, context: ArrayLike, tp: ArrayLike = 1) -> Array:
    """Return the forward FLOPs of a layer's score and value products, each of ``queries`` attending to ``context``."""
    pairs = np.asarray(queries, dtype=float) * np.asarray(context, dtype=float)
    return np.asarray(2.0 * pairs * arch.heads * (arch.qk_dim + arch.v_dim) / np.asarray(tp, dtype=float))


@dataclass(frozen=True)
class Flops:
    """Forward FLOPs of one token, by where they are spent."""

    gemm: Array
    attention: Array
    vocab: Array

    @property
    def total(self) -> Array:
        """All of them."""
        return self.gemm + self.attention + self.vocab


def forward_flops_per_token(arch: Architecture, sequence: ArrayLike, causal: bool = True) -> Flops:
    """Return the forward FLOPs of a token in a sequence; training takes three times this (arXiv:2001.08361, 2.1)."""
    counts = parameters(arch)
    context = attended(arch, sequence, causal)
    vocab = 2.0 * arch.vocab * arch.hidden
    return Flops(
        gemm=np.asarray(2.0 * counts.active_matmul - vocab) + 0.0 * context,
        attention=arch.layers * attention_flops(arch, 1.0, context),
        vocab=np.asarray(vocab) + 0.0 * context,
    )


def kv_bytes_per_token(arch: Architecture, bytes_per_value: float = 2.0) -> float:
    """Return the bytes of KV cache of a token over all layers; latent attention keeps latent and rotary key."""
    if arch.attention == "mla":
        return arch.layers * (arch.kv_lora + arch.qk_rope) * bytes_per_value
    return arch.layers * 2 * arch.kv_heads * arch.head_dim * bytes_per_value


def layer_gemms(
    arch: Architecture,
    tokens: ArrayLike,
    tp: ArrayLike = 1,
    ep: ArrayLike = 1,
    *,
    moe: bool = False,
    etp: ArrayLike | None = None,
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
    t, tp, ep = (np.asarray(value, dtype=float) for value in (tokens, tp, ep))
    h, heads = float(arch.hidden), arch.heads / tp
    gemms: list[Gemm] = []

    def add(
        name: str, m: ArrayLike, n: ArrayLike, k: ArrayLike, count: float = 1.0, groups: ArrayLike | None = None
    ) -> None:
        m, n, k, group = np.broadcast_arrays(
            *(np.asarray(v, dtype=float) for v in (m, n, k, 1.0 if groups is None else groups))
        )
        gemms.append(Gemm(name, m, n, k, np.asarray(count), group, groups is not None))

    if arch.attention == "mla":
        if arch.q_lora:
            add("query down", t, arch.q_lora, h)
        add("query up" if arch.q_lora else "query", t, heads * arch.qk_dim, arch.q_lora or h)
        add("latent down", t, arch.kv_lora + arch.qk_rope, h)
        add("latent up", t, heads * (arch.qk_nope + arch.v_head), arch.kv_lora)
    else:
        kv_heads = np.maximum(arch.kv_heads / tp, 1.0)
        add("query key value", t, (heads + 2 * kv_heads) * arch.head_dim, h)
    add("attention output", t, h, heads * arch.v_dim)

    up = 2.0 if arch.gated else 1.0
    if not moe:
        add("ffn up", t, up * arch.ffn_hidden / tp, h)
        add("ffn down", t, h, arch.ffn_hidden / tp)
        return gemms
    expert_tp = np.where(ep > 1, 1.0, tp) if etp is None else np.asarray(etp, dtype=float)
    local = np.maximum(arch.experts / ep, 1.0)
    routed = t * expert_tp / tp * ep * arch.top_k / arch.experts
    add("router", t / tp, arch.experts, h)
    add("expert up", routed, up * arch.moe_ffn / expert_tp, h, groups=local)
    add("expert down", routed, h, arch.moe_ffn / expert_tp, groups=local)
    if arch.shared_ffn:
        add("shared up", t, up * arch.shared_ffn / tp, h)
        add("shared down", t, h, arch.shared_ffn / tp)
    return gemms


def vocab_gemm(arch: Architecture, tokens: ArrayLike, tp: ArrayLike = 1) -> Gemm:
    """Return the GEMM of the output head, cut over the vocabulary."""
    t, tp = np.broadcast_arrays(np.asarray(tokens, dtype=float), np.asarray(tp, dtype=float))
    one = np.ones_like(t)
    return Gemm("output head", t, arch.vocab / tp, arch.hidden * one, one, one)


def elementwise_bytes(
    arch: Architecture, tokens: ArrayLike, tp: ArrayLike = 1, *, moe: bool = False, sequence_parallel: ArrayLike = True
) -> Array:
    """Return the bytes that the operators between the GEMMs of a layer move in a forward pass, at 2 bytes a value.

    Notes
    -----
    Values per token, each operator reading and writing once: two norms 4 h, two residual additions 6 h (cut by ``tp``
    only with sequence parallelism, arXiv:2205.05198, section 4.2); rotary embedding 2 (query + key); the activation
    function reads one or two widths and writes one; an MoE layer also gathers and scatters each token to ``top_k``
    experts, 4 k h.
    """
    t, tp = np.asarray(tokens, dtype=float), np.asarray(tp, dtype=float)
    h = arch.hidden
    outside = 10.0 * h / np.where(np.asarray(sequence_parallel, dtype=bool), tp, 1.0)
    keys = arch.heads if arch.attention == "mla" else arch.kv_heads
    inside = 2.0 * (arch.heads + keys) * arch.qk_dim
    width = arch.top_k * arch.moe_ffn + arch.shared_ffn if moe else arch.ffn_hidden
    inside += arch.ffn_matrices * width + (4.0 * arch.top_k * h if moe else 0.0)
    return 2.0 * t * (outside + inside / tp)


def activation_bytes(
    arch: Architecture,
    tokens: ArrayLike,
    tp: ArrayLike = 1,
    *,
    moe: bool = False,
    sequence_parallel: ArrayLike = True,
    score_context: ArrayLike = 0.0,
    selective: ArrayLike = False,
    operand_bytes: float = 2.0,
) -> Array:
    """Return the bytes of activations one layer keeps for its backward pass.

    Parameters
    ----------
    score_context
        Positions whose attention scores are kept per query and head: the sequence length where the attention kernel is
        not fused, 0 with flash attention.
    selective
        Whether the outputs of the norms, of the activation function and of latent attention's up-projections are
        recomputed instead of kept (arXiv:2412.19437, section 3.2.3).
    operand_bytes
        Bytes of a value kept as the input of a GEMM: 2, or 1 where the GEMMs run in fp8.

    Notes
    -----
    arXiv:2205.05198, equations 1 to 4, by what is kept at 2 bytes a value: the inputs of the two norms (2 h values)
    and their outputs, which feed GEMMs; query, key, value and the attention's output; the FFN's pre-activations and
    their product, which feeds a GEMM; an expert's gathered inputs. Unfused attention keeps 5 bytes a score for
    softmax and dropout. Everything inside a block is cut by ``tp``; the norms only with sequence parallelism.
    """
    t, tp = np.asarray(tokens, dtype=float), np.asarray(tp, dtype=float)
    h, heads = arch.hidden, arch.heads
    operand = np.where(np.asarray(selective, dtype=bool), 0.0, operand_bytes)
    outside = (4.0 * h + operand * 2 * h) / np.where(np.asarray(sequence_parallel, dtype=bool), tp, 1.0)
    if arch.attention == "mla":
        projected = np.where(np.asarray(selective, dtype=bool), 0.0, heads * (2 * arch.qk_dim + arch.v_dim))
        attention = 2.0 * (projected + arch.q_lora + arch.kv_lora + arch.qk_rope)
    else:
        attention = np.asarray(2.0 * (heads + 2 * arch.kv_heads) * arch.head_dim)
    attention = attention + 2.0 * heads * arch.v_dim
    width = arch.top_k * arch.moe_ffn + arch.shared_ffn if moe else arch.ffn_hidden
    ffn = 2.0 * (arch.ffn_matrices - 1) * width + operand * width + (operand_bytes * arch.top_k * h if moe else 0.0)
    scores = 5.0 * heads * np.asarray(score_context, dtype=float)
    return np.asarray(t * (outside + (attention + ffn + scores) / tp))
