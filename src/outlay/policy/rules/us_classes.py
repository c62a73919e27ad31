"""United States: what an item is (its ECCN by date), and the letters that reach items no ECCN names."""

from __future__ import annotations

from datetime import date

from outlay.policy.metrics import performance_density, plain, tpp
from outlay.policy.rules import sources as at
from outlay.policy.rules.base import Case, Finding, Rule

CLASS_2022 = "3A090 (2022)"
PCIE_BOUND_GBPS = 128.0  # both directions of PCI Express 5.0 x16: all a consumer card has besides its memory
REPORTED_LINE = (1400.0, 1100.0, 1700.0)  # DRAM, I/O, their sum in GB/s, as Intel is reported to have told clients
H20_LINE = (4000.0, 900.0, 4900.0)  # the H20's own figures, after the wording of NVIDIA's filing


def class_2022(case: Case) -> Finding | None:
    """Both limbs: 600 GB/s of I/O other than to volatile memory, and 4800 TOPS times bits."""
    performance = tpp(case.item)
    if case.item.hbm_density is not None:
        return None
    if performance is None:
        return _indeterminate("tops")
    if performance.value < 4800:
        return Finding("not 3A090: below 4800", arithmetic=(performance.against(4800),))
    io = case.item.interconnect_gbps
    if io is None and case.item.datacenter is not False:
        return _indeterminate("interconnect_gbps", performance.against(4800))
    speed = f"I/O = {plain(io)} GB/s" if io is not None else f"I/O <= {plain(PCIE_BOUND_GBPS)} GB/s (PCI Express)"
    if io is None or io < 600:
        return Finding("not 3A090: one limb fails", arithmetic=(performance.against(4800), f"{speed} < 600"))
    return Finding(
        "3A090: both limbs are met",
        control_class=CLASS_2022,
        arithmetic=(performance.against(4800), f"{speed} >= 600"),
    )


def class_2023(case: Case) -> Finding | None:
    """Total processing performance, performance density, and note 2 on parts not for data centres."""
    item = case.item
    if item.hbm_density is not None:
        return None
    performance = tpp(item)
    if performance is None:
        if case.named("MI308X?"):
            return Finding(
                "taken as not 3A090: AMD sold it to China without a licence until April 2025; no figures are public",
                warnings=(f"{item.name}: class from a company's filing, not from figures",),
            )
        return _indeterminate("tops")
    value = performance.value
    if value >= 4800:
        return Finding(
            "3A090.a.1: TPP of 4800 or more", control_class="3A090.a", arithmetic=(performance.against(4800),)
        )
    if value < 1600:
        return Finding("not 3A090: TPP below 1600", arithmetic=(performance.against(1600),))
    if item.datacenter is False:
        return Finding(
            "not 3A090: note 2, not designed or marketed for data centres", arithmetic=(performance.against(4800),)
        )
    return _class_by_density(case, performance.against(2400))


def _class_by_density(case: Case, performance: str) -> Finding:
    value, density = tpp(case.item), performance_density(case.item)
    assert value is not None
    if density is None:
        return _indeterminate("die_area_mm2", performance)
    if density.value >= 5.92:
        found = Finding(
            "3A090.a.2: TPP of 1600 or more and PD of 5.92 or more",
            control_class="3A090.a",
            arithmetic=(value.against(1600), density.against(5.92)),
        )
    elif density.value >= 3.2:
        found = Finding(
            "3A090.b: PD from 3.2 to below 5.92",
            control_class="3A090.b",
            arithmetic=(performance, density.against(3.2)),
        )
    elif value.value >= 2400 and density.value >= 1.6:
        found = Finding(
            "3A090.b.1: TPP from 2400 to below 4800 and PD from 1.6 to below 5.92",
            control_class="3A090.b",
            arithmetic=(performance, density.against(1.6)),
        )
    else:
        limit = 1.6 if value.value >= 2400 else 3.2
        return Finding("not 3A090: performance density is too low", arithmetic=(performance, density.against(limit)))
    if case.item.datacenter is None:  # note 2 would free it
        return _indeterminate("datacenter", *found.arithmetic)
    return found


def class_hbm(case: Case) -> Finding | None:
    """Bandwidth of a memory stack over its area, strictly above 2 GB/s per mm2."""
    density = case.item.hbm_density
    if density is None:
        return None
    if density <= 2:
        return Finding("not 3A090.c", arithmetic=(f"memory bandwidth density = {plain(density)} <= 2 GB/s/mm2",))
    found = f"memory bandwidth density = {plain(density)} > 2 GB/s/mm2"
    if not case.restricted:
        return Finding("3A090.c, no licence here", control_class="3A090.c", arithmetic=(found,))
    if case.transaction.on < date(2024, 12, 31):
        code, outcome = "COMPLIANCE_PENDING", "3A090.c: compliance from 31 December 2024"
    elif density < 3.3:
        code, outcome = "HBM_EXCEPTION_OR_LICENCE", "3A090.c: licence, or License Exception HBM where its terms hold"
    else:
        code, outcome = "LICENCE", "3A090.c: licence; License Exception HBM needs less than 3.3"
    return Finding(outcome, code=code, control_class="3A090.c", arithmetic=(found,))


def letter_2022(case: Case) -> Finding | None:
    """Named parts, and parts of both the performance and the chip-to-chip speed of an A100."""
    if case.transaction.destination not in {"CN", "HK", "RU"} or not case.exported or case.control_class != "NONE":
        return None
    performance, io = tpp(case.item), case.item.interconnect_gbps
    named = case.named("A100X?", "H100", "MI250X?")
    fast = performance is not None and performance.value >= 4992 and io is not None and io >= 600
    if not named and not fast:
        return None
    reason = "named in the letter" if named else "performance and chip-to-chip I/O of an A100 or more"
    return Finding(f"licence required: {reason}", code="LETTER_LICENCE")


def notice_2023(case: Case) -> Finding | None:
    """Data-centre parts of NVIDIA at or above 4800, before the rule's general date."""
    performance = tpp(case.item)
    if case.item.vendor.casefold() != "nvidia" or case.control_class != "NONE" or not case.item.datacenter:
        return None
    if not case.restricted or performance is None or performance.value < 4800:
        return None
    return Finding(
        "licence required at once: data-centre part",
        code="LETTER_LICENCE",
        arithmetic=(performance.against(4800),),
    )


def letter_2025(case: Case) -> Finding | None:
    """Named parts, and parts at or above a line on memory bandwidth, I/O or their sum."""
    if not case.restricted or not case.exported or case.control_class not in {"NONE", "INDETERMINATE"}:
        return None
    if case.item.hbm_density is not None:
        return None
    if case.named("H20", "H20E", "H20-3e", "MI308X?", "Gaudi ?[23]?"):
        return Finding("licence required: named in a company's filing or notice", code="LETTER_LICENCE")
    line = H20_LINE if "letter_2025_h20_line" in case.flags else REPORTED_LINE
    return _against_line(case, *line)


def _against_line(case: Case, dram_line: float, io_line: float, sum_line: float) -> Finding | None:
    dram, io = case.item.dram_gbps, case.item.interconnect_gbps
    if io is None and case.item.datacenter is False:
        io = PCIE_BOUND_GBPS
    reached = [
        f"{name} = {plain(value)} >= {plain(limit)} GB/s"
        for name, value, limit in (
            ("DRAM", dram, dram_line),
            ("I/O", io, io_line),
            ("DRAM + I/O", None if dram is None or io is None else dram + io, sum_line),
        )
        if value is not None and value >= limit
    ]
    if reached:
        return Finding("licence required: at or above the line", code="LETTER_LICENCE", arithmetic=tuple(reached))
    missing = tuple(name for name, value in (("dram_gbps", dram), ("interconnect_gbps", io)) if value is None)
    if missing:
        return Finding("cannot tell: a figure is missing", code="UNKNOWN", missing=missing)
    assert dram is not None
    assert io is not None
    return Finding(
        "below the line",
        arithmetic=(
            f"DRAM = {plain(dram)} < {plain(dram_line)}, I/O = {plain(io)} < {plain(io_line)}, "
            f"sum = {plain(dram + io)} < {plain(sum_line)} GB/s",
        ),
    )


def _indeterminate(missing: str, *arithmetic: str) -> Finding:
    return Finding(
        f"cannot be classified: {missing} is missing",
        control_class="INDETERMINATE",
        arithmetic=arithmetic,
        missing=(missing,),
    )


RULES = (
    Rule(
        id="US-02",
        title="3A090 of October 2022",
        issuer="US BIS",
        announced=date(2022, 10, 7),
        effective_from=date(2022, 10, 21),
        effective_to=date(2023, 11, 16),
        end_announced=date(2023, 10, 17),
        status="final",
        confidence="high",
        scope="what an item is",
        citations=(at.OCT_2022,),
        predicate=class_2022,
    ),
    Rule(
        id="US-03",
        title="3A090.a and .b: total processing performance and performance density",
        issuer="US BIS",
        announced=date(2023, 10, 17),
        effective_from=date(2023, 11, 17),
        status="final",
        confidence="high",
        scope="what an item is",
        citations=(at.OCT_2023, at.CCL),
        predicate=class_2023,
    ),
    Rule(
        id="US-05",
        title="3A090.c: high-bandwidth memory",
        issuer="US BIS",
        announced=date(2024, 12, 2),
        effective_from=date(2024, 12, 2),
        status="final",
        confidence="high",
        scope="bare memory stacks to D:5, Macau and groups headquartered there",
        citations=(at.HBM_2024, at.CCL),
        predicate=class_hbm,
    ),
    Rule(
        id="US-01",
        title="Letters of 26 August 2022",
        issuer="US BIS",
        announced=date(2022, 8, 26),
        effective_from=date(2022, 8, 26),
        effective_to=date(2022, 10, 20),
        end_announced=date(2022, 10, 7),
        status="letter",
        confidence="high",
        scope="China with Hong Kong, Russia; NVIDIA and AMD parts",
        citations=(at.LETTER_2022,),
        predicate=letter_2022,
    ),
    Rule(
        id="US-03.notice",
        title="Notice of 23 October 2023: effective at once",
        issuer="US BIS",
        announced=date(2023, 10, 24),
        effective_from=date(2023, 10, 23),
        effective_to=date(2023, 11, 16),
        end_announced=date(2023, 10, 24),
        status="letter",
        confidence="medium",
        scope="data-centre parts of NVIDIA with TPP of 4800 or more; D:5 and Macau",
        citations=(at.NOTICE_2023,),
        predicate=notice_2023,
    ),
    Rule(
        id="US-08",
        title="Letters of April 2025 (H20, MI308, Gaudi and parts like them)",
        issuer="US BIS",
        announced=date(2025, 4, 15),
        effective_from=date(2025, 4, 9),
        status="letter",
        confidence="medium",
        scope="D:5, Macau and groups headquartered there; the letters are not public, the line is disputed",
        citations=(at.LETTER_2025, at.LETTER_2025_AMD, at.LETTER_2025_LINE),
        predicate=letter_2025,
    ),
)
