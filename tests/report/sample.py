"""A plan made by hand that looks like a real one: the reported build-out of January 2025, figures illustrative."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from outlay.finance.cashflow import Accounts, Line, Reading, UnitCost, account, scaled, tornado
from outlay.finance.currency import Exposure, rates
from outlay.planning.result import (
    Audit,
    AuditCheck,
    Blocked,
    BudgetUse,
    EvidenceItem,
    Limit,
    Plan,
    Purchase,
    ServiceResult,
    SiteUse,
    SourcingUse,
    Stage,
    TrainingResult,
)
from outlay.units import Quarter

QUARTERS = [str(Quarter(2025, 1) + ahead) for ahead in range(8)]
CNY_PER_USD = 7.27
CHINA, ABROAD = "China chips", "Overseas training"
ATLAS, MLU, H20, H100, H200 = (
    "Atlas 800T A2 (8 x Ascend 910B)",
    "MLU590 server (8 x MLU590)",
    "HGX H20 8-GPU",
    "HGX H100 8-GPU",
    "HGX H200 8-GPU",
)
CHIPS = {ATLAS: "Ascend 910B2", MLU: "MLU590", H20: "H20 96GB", H100: "H100 SXM", H200: "H200 SXM"}
VENDORS = {
    ATLAS: ("Huawei", "CN"),
    MLU: ("Cambricon", "CN"),
    H20: ("Nvidia", "US"),
    H100: ("Nvidia", "US"),
    H200: ("Nvidia", "US"),
}
COUNTRY = {"Datong": "CN", "Zhangbei": "CN", "Wuhu": "CN", "Hamar": "NO", "Johor": "MY", "Dublin": "IE"}
MILLION_CNY_PER_UNIT = {ATLAS: 1.05, MLU: 0.86, H20: 1.16}
USD_PER_CHIP_HOUR = {H100: 2.20, H200: 2.65}
BUYS = [  # system, site, quarter ordered, units
    (ATLAS, "Datong", 0, 2400),
    (ATLAS, "Datong", 1, 3100),
    (ATLAS, "Zhangbei", 2, 4200),
    (ATLAS, "Wuhu", 3, 4800),
    (ATLAS, "Wuhu", 4, 4410),
    (MLU, "Wuhu", 2, 1300),
    (MLU, "Wuhu", 3, 1700),
    (MLU, "Zhangbei", 5, 1815),
    (H20, "Datong", 0, 5200),
    (H20, "Zhangbei", 1, 5000),
    (H20, "Zhangbei", 2, 3590),
]
LEASES = [  # system, site, first quarter of use, quarters, units
    (H100, "Hamar", 0, 4, 1024),
    (H200, "Hamar", 1, 4, 1536),
    (H200, "Johor", 1, 6, 2560),
    (H200, "Johor", 2, 6, 4096),
    (H200, "Hamar", 4, 4, 1440),
]
FLASH, LARGE = "Seed 200B-A20B", "Seed large MoE"


def _purchases() -> list[Purchase]:
    rows = []
    for system, site, ordered, units in BUYS:
        vendor, home = VENDORS[system]
        rules = ["CN-REPORTED-30-FLOOR"] if home == "CN" else ["US-3A090-2023-11-17", "US-NAC-NOTICE"]
        rows.append(
            Purchase(
                mode="buy",
                system=system,
                chip=CHIPS[system],
                vendor=vendor,
                vendor_country=home,
                site=site,
                country=COUNTRY[site],
                quarter=QUARTERS[ordered],
                in_use=QUARTERS[ordered + 1],
                until=None,
                units=units,
                chips=units * 8,
                cost=units * MILLION_CNY_PER_UNIT[system] * 1e6,
                currency="CNY",
                budget=CHINA,
                decision="ALLOWED" if home == "CN" else "NOT_3A090",
                rules=rules,
            )
        )
    for system, site, first, term, units in LEASES:
        vendor, home = VENDORS[system]
        hours = 24 * 365.25 / 4 * term
        rows.append(
            Purchase(
                mode="lease",
                system=system,
                chip=CHIPS[system],
                vendor=vendor,
                vendor_country=home,
                site=site,
                country=COUNTRY[site],
                quarter=QUARTERS[first],
                in_use=QUARTERS[first],
                until=QUARTERS[min(first + term - 1, 7)],
                units=units,
                chips=units * 8,
                cost=units * 8 * hours * USD_PER_CHIP_HOUR[system],
                currency="USD",
                budget=ABROAD,
                decision="LEASE_OUTSIDE_SCOPE",
                rules=["US-HQ-TEST-2023", "US-IAAS-2024-PROPOSED"],
            )
        )
    return rows


def _budgets(purchases: list[Purchase]) -> list[BudgetUse]:
    budgets = []
    for name, limit, currency, mode in ((CHINA, 40e9, "CNY", "buy"), (ABROAD, 6.8e9, "USD", "lease")):
        by_quarter: dict[str, float] = defaultdict(float)
        for purchase in purchases:
            if purchase.budget == name:
                by_quarter[purchase.quarter] += purchase.cost
        by_kind = {mode: sum(by_quarter.values())}
        if mode == "lease":
            by_kind["energy"] = 95e6
            by_quarter[QUARTERS[5]] += 95e6
        spent = sum(by_quarter.values())
        budgets.append(BudgetUse(name, limit, spent, currency, dict(sorted(by_quarter.items())), by_kind))
    return budgets


def _training() -> list[TrainingResult]:
    return [
        TrainingResult(
            name="Mixture of experts, 200B",
            model=FLASH,
            runs=True,
            why_not="",
            stages=[Stage("Hamar", H100, 8192, "2025Q1", "2025Q2", "lease")],
            days=103.0,
            days_low=88.0,
            days_high=124.0,
            finished="2025Q2",
            mfu=0.387,
            strategy="tp=4 pp=4 dp=512 ep=16 micro-batch 1, selective recompute",
            basis="measured H100 kernels; band from 21 published runs",
            value=900e6,
        ),
        TrainingResult(
            name="Frontier model",
            model=LARGE,
            runs=True,
            why_not="",
            stages=[
                Stage("Johor", H200, 20480, "2025Q2", "2025Q3", "lease"),
                Stage("Johor", H200, 53248, "2025Q4", "2026Q1", "lease"),
            ],
            days=241.0,
            days_low=198.0,
            days_high=305.0,
            finished="2026Q1",
            mfu=0.341,
            strategy="tp=8 pp=16 dp=416 ep=8 micro-batch 1, full recompute",
            basis="measured H200 kernels; outside the calibrated range above 24,576 chips",
            value=2.4e9,
        ),
        TrainingResult(
            name="Video model",
            model="Seed video 30B",
            runs=False,
            why_not="no site has chips left before its deadline in 2025Q3",
            value=150e6,
        ),
    ]


def _services() -> list[ServiceResult]:
    trillion_per_day = 1e12 / 86400
    demand = [5.5, 8.9, 13.0, 18.5, 25.0, 33.0, 42.0, 52.0]
    on_h20 = [0.0, 4.1, 6.8, 7.9, 8.0, 8.0, 8.0, 8.0]
    on_atlas = [0.0, 3.2, 6.2, 10.6, 14.1, 20.0, 24.4, 25.1]
    service = ServiceResult(
        name="Doubao",
        model=FLASH,
        demand={q: d * trillion_per_day for q, d in zip(QUARTERS, demand, strict=True)},
        served={q: (a + b) * trillion_per_day for q, a, b in zip(QUARTERS, on_h20, on_atlas, strict=True)},
        by_system={
            f"{ATLAS} @ Datong": {q: a * 0.6 * trillion_per_day for q, a in zip(QUARTERS, on_atlas, strict=True)},
            f"{ATLAS} @ Wuhu": {q: a * 0.4 * trillion_per_day for q, a in zip(QUARTERS, on_atlas, strict=True)},
            f"{H20} @ Zhangbei": {q: a * trillion_per_day for q, a in zip(QUARTERS, on_h20, strict=True)},
        },
        rates={
            H20: {
                "tokens_per_s_per_chip": 2310.0,
                "ttft_s": 1.4,
                "tpot_s": 0.041,
                "batch": 96.0,
                "chips_per_replica": 8.0,
                "strategy": "tp=8",
                "basis": "measured H20 kernels",
            },
            ATLAS: {
                "tokens_per_s_per_chip": 1480.0,
                "ttft_s": 1.9,
                "tpot_s": 0.049,
                "batch": 64.0,
                "chips_per_replica": 16.0,
                "strategy": "tp=8 pp=2",
                "basis": "class prior, band +/- 40 %",
            },
        },
        revenue=2.9e9,
    )
    small = {q: (0.8 + 0.3 * at) * trillion_per_day for at, q in enumerate(QUARTERS)}
    return [
        service,
        ServiceResult(
            name="Coding assistant",
            model=FLASH,
            demand=small,
            served={q: rate if at else 0.0 for at, (q, rate) in enumerate(small.items())},
            by_system={f"{H20} @ Datong": {q: rate if at else 0.0 for at, (q, rate) in enumerate(small.items())}},
            rates={H20: service.rates[H20]},
            revenue=0.4e9,
        ),
    ]


def _sites(purchases: list[Purchase]) -> list[SiteUse]:
    limits = {"Datong": 130e6, "Zhangbei": 150e6, "Wuhu": 120e6, "Hamar": 30e6, "Johor": 90e6, "Dublin": 20e6}
    places = {
        "Datong": (40.1, 113.3),
        "Zhangbei": (41.2, 114.7),
        "Wuhu": (31.3, 118.4),
        "Hamar": (60.8, 11.1),
        "Johor": (1.5, 103.7),
    }
    watts = {ATLAS: 680.0, MLU: 560.0, H20: 760.0, H100: 1230.0, H200: 1260.0}
    sites = []
    for site, limit in limits.items():
        chips, power = dict.fromkeys(QUARTERS, 0), dict.fromkeys(QUARTERS, 0.0)
        for purchase in purchases:
            for quarter in QUARTERS:
                if (
                    purchase.site == site
                    and purchase.in_use <= quarter
                    and (purchase.until is None or quarter <= purchase.until)
                ):
                    chips[quarter] += purchase.chips
                    power[quarter] += purchase.chips * watts[purchase.system]
        at = places.get(site, (None, None))
        sites.append(SiteUse(site, COUNTRY[site], power, dict.fromkeys(QUARTERS, limit), chips, at[0], at[1]))
    return sites


def _flows(purchases: list[Purchase]) -> list[tuple[str, str, str, str, str, float]]:
    totals: dict[tuple[str, str, str, str, str], float] = defaultdict(float)
    for purchase in purchases:
        usd = purchase.cost / (CNY_PER_USD if purchase.currency == "CNY" else 1.0)
        if purchase.mode == "lease":
            work = "Frontier model" if purchase.site == "Johor" else "Mixture of experts, 200B"
            shares = {work: 0.92, "idle": 0.08}
        elif purchase.system == H20 and purchase.site == "Datong":
            shares = {"Coding assistant": 1.0}
        else:
            shares = {"Doubao": 1.0}
        for work, share in shares.items():
            totals[purchase.budget, purchase.vendor, purchase.system, purchase.site, work] += usd * share
    return [(*path, amount) for path, amount in sorted(totals.items())]


def _evidence() -> list[EvidenceItem]:
    denied_by = "ByteDance spokesperson, 22 January 2025"
    report = "https://www.econotimes.com/ByteDance-to-Invest-12B-in-AI-Infrastructure-Amid-US-Pressure-1699841"
    return [
        EvidenceItem(
            "Budget: China chips", "40 bn CNY", "denied", "Financial Times via EconoTimes", report, "2025", denied_by
        ),
        EvidenceItem(
            "Budget: Overseas training",
            "about 6.8 bn USD",
            "denied",
            "Financial Times via EconoTimes",
            report,
            "",
            denied_by,
        ),
        EvidenceItem(
            "Share of Chinese vendors",
            "60 %",
            "denied",
            "Financial Times via EconoTimes",
            report,
            "by value",
            denied_by,
        ),
        EvidenceItem(
            "Floor of local sourcing",
            "at least 30 %",
            "press-report",
            "Financial Times via EconoTimes",
            report,
            "encouraged",
        ),
        EvidenceItem(
            "Price of HGX H20 8-GPU", "1.16 m CNY", "press-report", "Reuters", "https://www.reuters.com/", "2024"
        ),
        EvidenceItem(
            "Price of Atlas 800T A2", "1.05 m CNY", "analyst-estimate", "Reuters", "https://www.reuters.com/", ""
        ),
        EvidenceItem(
            "Peak of H20 96GB, bf16 dense", "148 TFLOP/s", "datasheet", "Nvidia", "https://www.nvidia.com/", ""
        ),
        EvidenceItem(
            "Tokens of Doubao a day, December 2024",
            "4 trn",
            "company",
            "Volcano Engine",
            "https://www.volcengine.com/",
            "",
        ),
        EvidenceItem("Power of Hamar", "30 MW", "official", "Green Mountain", "https://greenmountain.no/", ""),
        EvidenceItem(
            "Growth of demand after 2025Q1", "x 1.35 a quarter", "assumed", "", "", "the path known then, held on"
        ),
        EvidenceItem("Salvage", "65 % a year", "assumed", "", "", "resale of Hopper servers in 2024"),
    ]


def _accounts() -> Accounts:
    """Cash in two currencies, with a tornado, unit costs and an exposure."""
    quarters = tuple(Quarter.parse(quarter) for quarter in QUARTERS)
    lines = [
        Line(f"purchase of {ATLAS}", "purchases", "capital", "CNY", [-5e9] * 6 + [0.0] * 2),
        Line(f"rent of {H200}", "rent", "operating", "USD", [0.0] + [-4e8] * 7),
        Line("revenue of domestic chat", "revenue", "income", "CNY", [0.0] + [7e9] * 7),
    ]
    made = account(lines, rates({"CNY": CNY_PER_USD}, quarters), "USD", discount=0.1, inflation=0.02)
    readings = [
        Reading("revenue per token", "-20%", "+20%", scaled("revenue", 0.8), scaled("revenue", 1.2)),
        Reading("rents", "-20%", "+20%", scaled("rent", 0.8), scaled("rent", 1.2)),
    ]
    return replace(
        made,
        tornado=tornado(made, readings),
        exposure=[Exposure("CNY", (0.0,) * 8, made.value, 1e8, None)],
        unit_costs=[
            UnitCost("domestic chat", "million tokens", 0.11, 0.14),
            UnitCost(H200, "H100-equivalent hour", 2.2),
        ],
    )


def sample_plan() -> Plan:
    """Return the plan."""
    purchases = _purchases()
    budgets = _budgets(purchases)
    domestic = sum(p.cost for p in purchases if p.budget == CHINA and p.vendor_country == "CN")
    everything = sum(p.cost / (CNY_PER_USD if p.currency == "CNY" else 1.0) for p in purchases)
    china = next(b for b in budgets if b.name == CHINA)
    return Plan(
        scenario="bytedance-2025",
        title="ByteDance, 2025: 12 billion dollars of AI infrastructure",
        currency="USD",
        knowledge_date="2025-01-22",
        quarters=QUARTERS,
        status="optimal",
        objective=3.42e9,
        objective_name="value",
        bound=3.434e9,
        gap=0.0041,
        build_s=1.9,
        solve_s=7.4,
        solver="HiGHS 1.16.0",
        fx={"USD": 1.0, "CNY": CNY_PER_USD},
        purchases=purchases,
        budgets=budgets,
        sourcing=[
            SourcingUse("Chinese vendors in China", "budget-value", "exact", 0.60, domestic / china.spent, 0.00003),
            SourcingUse("Floor asked for by Beijing", "budget-value", "floor", 0.30, domestic / china.spent, 0.0),
            SourcingUse(
                "Floor, if on all spending", "all-value", "floor", 0.20, domestic / CNY_PER_USD / everything, 0.0
            ),
        ],
        training=_training(),
        services=_services(),
        sites=_sites(purchases),
        limits=[
            Limit(
                "Budget China chips",
                "budget",
                0.071,
                "USD per CNY",
                "One more billion CNY for chips in China is worth 71.0 m USD.",
            ),
            Limit(
                "Chinese vendors in China",
                "sourcing",
                -1.9e9,
                "USD per share",
                "One point less of the 60 % share is worth 19.0 m USD.",
            ),
            Limit(
                "Supply of Ascend 910B2 in 2025Q3",
                "supply",
                2_300.0,
                "USD per chip",
                "One more chip in 2025Q3 is worth 2,300 USD.",
            ),
            Limit(
                "Power of Hamar in 2025Q2",
                "power",
                1.4,
                "USD per W",
                "One more MW at Hamar in 2025Q2 is worth 1.40 m USD.",
            ),
        ],
        blocked=[
            Blocked(
                H100,
                CHIPS[H100],
                "buy",
                "NO",
                "2025Q1-2026Q4",
                "LICENSE_REQUIRED_DENIAL",
                ["US-HQ-TEST-2023", "US-3A090-2023-11-17"],
                "A buyer with headquarters in CN needs a licence to buy 3A090.a in NO; the plan leases at Hamar.",
            ),
            Blocked(
                H200,
                CHIPS[H200],
                "buy",
                "MY",
                "2025Q1-2026Q4",
                "LICENSE_REQUIRED_DENIAL",
                ["US-HQ-TEST-2023"],
                "A buyer with headquarters in CN needs a licence to buy 3A090.a in MY; the plan leases at Johor.",
            ),
            Blocked(
                H100,
                CHIPS[H100],
                "lease",
                "CN",
                "2025Q1-2026Q4",
                "DENIED",
                ["US-3A090-2023-11-17"],
                "No 3A090.a chip may be in CN.",
            ),
        ],
        money={
            "revenue": 3.3e9,
            "training value": 3.3e9,
            "purchases": -5.5e9,
            "leases": -2.57e9,
            "energy": -0.42e9,
            "penalties": -0.2e9,
            "salvage": 5.51e9,
        },
        accounts=_accounts(),
        flows=_flows(purchases),
        evidence=_evidence(),
        notes=[
            "ByteDance called the reported figures incorrect; the plan shows what they would buy, not what it bought.",
            "Chips of class 3A090.a are leased abroad, which was reported legal on 2025-01-22.",
            "No source gives Huawei's output by quarter; supply of Ascend 910B2 is an assumption.",
        ],
        deadlines=[
            {
                "name": "TikTok divestiture",
                "date": "2025-04-05",
                "note": "order of 20 January 2025: 75 days without enforcement",
            },
            {"name": "AI Diffusion rule, compliance", "date": "2025-05-15", "note": "published 2025-01-15"},
        ],
        audit=Audit(
            ok=True,
            checks=[
                AuditCheck("budget China chips", True, f"spent {china.spent:,.0f} of {china.limit:,.0f} CNY"),
                AuditCheck("budget Overseas training", True, "within 6,800,000,000 USD"),
                AuditCheck("power of every site", True, "48 of 48 site-quarters within the limit"),
                AuditCheck("legality of every purchase", True, "16 of 16 decisions are not denials"),
                AuditCheck("sourcing Chinese vendors in China", True, "within one system of 60 %"),
            ],
        ),
        input_hash="b1946ac92492d2347c6235b4d2611184",
        version="0.1.0",
    )
