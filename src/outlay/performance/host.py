"""How the host that launches a layer's kernels lengthens them."""

from __future__ import annotations

from dataclasses import replace

from outlay.performance import communication
from outlay.performance.arrays import Number, namespace
from outlay.performance.chip import ChipModel
from outlay.performance.network import Fabric
from outlay.performance.strategy import Stack, Strategy
from outlay.performance.transformer import Architecture

# Host and kernels wait for each other in turns: a layer takes more than the longer of the two and less than their sum.
HOST_NORM = 3.0
# One pass of a layer's 30 kernels that are waited for one by one, each 20 us beyond its own time: CUDA_LAUNCH_BLOCKING,
# by which BigScience's 200B on 80 chips fell from 97.2 to 91.0 TFLOP/s (chronicles-prequel.md, JZ hanging).
BLOCKED_S = 30 * communication.OPERATOR_S


def in_turns(stack: Stack) -> Stack:
    """Return the software, its collectives beside nothing where every call waits for its kernel."""
    beside = 1.0 - stack.blocking
    return replace(
        stack,
        tp_overlap=beside * stack.tp_overlap,
        cp_overlap=beside * stack.cp_overlap,
        ep_overlap=beside * stack.ep_overlap,
        pp_overlap=beside * stack.pp_overlap,
        dp_overlap=beside * stack.dp_overlap,
    )


def stretched(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    st: Strategy,
    kernels: Number,
    exposed: Number,
    stack: Stack,
) -> Number:
    """Return by what factor the host lengthens the ``kernels`` of a layer, with what runs ``exposed`` beside them.

    Notes
    -----
    Forward, backward as two passes, and a recomputed forward wait for the host to launch them, which runs ahead while
    collectives do; graphs replay what they captured without it. Where every call waits for its kernel, none of both
    hides behind the other.
    """
    xp = namespace(kernels, chip, fabric)
    passes = 1.0 + communication.repeats(st)  # backward is two
    moe = arch.moe_layers / arch.layers
    called = fabric.call_s * communication.tensor_calls(arch, st)
    launched = (1 - moe) * stack.host_s + moe * (1 - stack.graphed) * stack.host_moe_s
    launches = (launched * passes + called) * chip.host
    ahead = (1.0 + (xp.maximum(launches - exposed, 0.0) / kernels) ** HOST_NORM) ** (1.0 / HOST_NORM)
    return xp.where(xp.asarray(stack.blocking) > 0, 1.0 + (BLOCKED_S * passes + called) / kernels, ahead)
