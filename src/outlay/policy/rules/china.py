"""China: rules the government has not published, as the press reports them; the second clock beside the law."""

from __future__ import annotations

from datetime import date

from outlay.policy.rules.base import Case, Citation, Finding, Predicate, Rule

ISSUER = "China, as reported"
SWITCH_OFF = "ignore_reported"


def _imported(case: Case) -> bool:
    return case.transaction.destination == "CN" and case.item.vendor_country != "CN"


def h20_inefficient(case: Case) -> Finding | None:
    """Energy-efficiency advice that the H20 fails."""
    if not _imported(case) or not case.named("H20"):
        return None
    return Finding("advised against in new and expanded data centres; not strictly enforced", verdict="conditional")


def h20_summons(case: Case) -> Finding | None:
    """Purchases of the H20 discouraged."""
    if not _imported(case) or not case.named("H20"):
        return None
    return Finding("purchases are discouraged; no ban", verdict="conditional")


def rtx_pro_6000d(case: Case) -> Finding | None:
    """Companies told to stop testing and ordering."""
    if not _imported(case) or not case.named(r"RTX Pro 6000D"):
        return None
    return Finding("companies were told to stop testing and ordering it", verdict="denied")


def customs_checks(case: Case) -> Finding | None:
    """Advanced chips that break US controls are looked for at ports."""
    if not _imported(case) or not (case.named("H20", r"RTX Pro 6000D") or case.control_class.startswith("3A090")):
        return None
    return Finding("checked at ports: the import is at risk", verdict="conditional")


def state_funded(case: Case) -> Finding | None:
    """Domestic AI chips only where public money is in the data centre."""
    if not _imported(case) or not case.transaction.state_funded:
        return None
    if case.transaction.new_site:
        return Finding("a new data centre with public money takes domestic AI chips only", verdict="denied")
    return Finding(
        "public money: below 30 % of the building, foreign chips are removed or cancelled; above, case by case",
        verdict="conditional",
    )


def xinchuang(case: Case) -> Finding | None:
    """Public bodies choose from a list."""
    if not _imported(case) or not case.transaction.state_funded:
        return None
    return Finding(
        "public bodies and state firms choose from the Xinchuang list; it is not public", verdict="conditional"
    )


def h200_stopped(case: Case) -> Finding | None:
    """Not permitted, as customs were told."""
    if not _imported(case) or not case.named("H200"):
        return None
    return Finding("customs were told it is not permitted; buy only when necessary", verdict="denied")


def h200_approved(case: Case) -> Finding | None:
    """Approvals buyer by buyer."""
    if not _imported(case) or not case.named("H200"):
        return None
    return Finding("approved buyer by buyer, with conditions; few deliveries are known", verdict="conditional")


def rtx_5090d_v2(case: Case) -> Finding | None:
    """Import permits halted."""
    if not _imported(case) or not case.named(r"RTX 5090 ?D V2"):
        return None
    return Finding("import permits are halted", verdict="denied")


def _reported(
    number: int,
    title: str,
    day: date,
    source: tuple[str, str],
    predicate: Predicate | None = None,
    *,
    scope: str,
    end: date | None = None,
    weak: bool = False,
) -> Rule:
    document, address = source
    return Rule(
        id=f"CN-{number:02}",
        title=title,
        issuer=ISSUER,
        announced=day,
        effective_from=day,
        effective_to=end,
        end_announced=end,
        status="reported",
        confidence="low" if weak else "medium",
        scope=scope,
        citations=(Citation(document, "press report; no official text", address),),
        predicate=predicate,
        switch_off=SWITCH_OFF,
    )


RULES = (
    _reported(
        1,
        "Guidance: at least 30 % of chips from domestic suppliers",
        date(2025, 1, 22),
        (
            "DevDiscourse of 22 January 2025, after the Financial Times",
            "https://www.devdiscourse.com/article/technology/"
            "3234231-bytedance-bets-big-a-12-billion-ai-infrastructure-investment",
        ),
        scope="technology companies; by value or by chips is not said; ByteDance denies the report",
    ),
    _reported(
        2,
        "Energy-efficiency advice that leaves out the H20",
        date(2025, 3, 26),
        (
            "4News of 26 March 2025, after the Financial Times",
            "https://4nownews.com/technology-and-it-market-news/china-to-hit-nvidia-with-new-environmental-regulations-"
            "the-company-will-lose-up-to-17-billion-in-revenue-per-year/amp",
        ),
        h20_inefficient,
        scope="new and expanded data centres; the number behind it was not found",
    ),
    _reported(
        3,
        "Cyberspace Administration summons NVIDIA over the H20",
        date(2025, 7, 31),
        (
            "Export Compliance Daily of 1 August 2025",
            "https://exportcompliancedaily.com/article/2025/08/01/"
            "china-asks-nvidia-to-explain-possible-security-risks-of-exported-h20-chips-2507310010",
        ),
        h20_summons,
        scope="H20",
    ),
    _reported(
        4,
        "Stop testing and ordering the RTX Pro 6000D",
        date(2025, 9, 17),
        (
            "Catenaa of 17 September 2025, after the Financial Times",
            "https://investors.catenaa.com/news/china-bans-tech-firms-from-buying-nvidia-ai-chips",
        ),
        rtx_pro_6000d,
        scope="technology companies",
    ),
    _reported(
        5,
        "Customs checks of advanced chips at ports",
        date(2025, 10, 10),
        (
            "Outlook Business of October 2025, after the Financial Times",
            "https://www.outlookbusiness.com/technology/"
            "china-tightens-the-screws-on-nvidias-ai-chips-import-as-tech-war-deepens",
        ),
        customs_checks,
        scope="H20, RTX Pro 6000D, then all advanced chips; date approximate",
    ),
    _reported(
        6,
        "State-funded data centres: domestic AI chips only",
        date(2025, 11, 5),
        (
            "Semafor of 5 November 2025, after Reuters",
            "https://www.semafor.com/article/11/05/2025/china-slashes-big-data-centers-electric-bills",
        ),
        state_funded,
        scope="data centres with public money; how far across the country is not clear",
    ),
    _reported(
        7,
        "Power subsidy of up to 50 % for sites with domestic chips",
        date(2025, 11, 4),
        (
            "InvestingLive of 4 November 2025, after the Financial Times",
            "https://investinglive.com/news/"
            "china-offers-big-power-subsidies-to-boost-local-ai-chips-at-bytedance-alibaba-tencent-20251104",
        ),
        scope="Gansu, Guizhou, Inner Mongolia; sites with foreign chips are left out",
    ),
    _reported(
        8,
        "Xinchuang procurement list takes in Huawei and Cambricon AI chips",
        date(2025, 12, 10),
        ("AFN News of 10 December 2025, after the Financial Times", "https://afnnews.qaasid.com/134823"),
        xinchuang,
        scope="government, public bodies, state firms",
    ),
    _reported(
        9,
        "New wafer capacity: at least 50 % domestic equipment",
        date(2025, 12, 30),
        (
            "CNA of 30 December 2025, after Reuters",
            "https://www.channelnewsasia.com/east-asia/"
            "china-mandates-50-percent-domestic-equipment-chipmakers-ai-5769851",
        ),
        scope="makers of chips; relaxed for advanced lines",
    ),
    _reported(
        10,
        "H200 not permitted at customs",
        date(2026, 1, 14),
        (
            "Techloy of January 2026",
            "https://www.techloy.com/china-blocks-nvidia-h200-ai-chips-at-customs-despite-u-s-export-approval",
        ),
        h200_stopped,
        scope="H200",
        end=date(2026, 1, 27),
    ),
    _reported(
        11,
        "H200 approved for some buyers, with conditions",
        date(2026, 1, 28),
        (
            "Business Times of January 2026",
            "https://www.businesstimes.com.sg/international/global/china-approves-first-batch-nvidia-h200-chip-imports-sources",
        ),
        h200_approved,
        scope="more than 400,000 for ByteDance, Alibaba and Tencent; ten firms by May 2026",
    ),
    _reported(
        12,
        "Import permits for the RTX 5090 D V2 halted",
        date(2026, 5, 15),
        (
            "AI News Hubs of May 2026",
            "https://www.ainewshubs.com/article/china-blocks-nvidias-rtx-5090d-v2-imports-while-jensen-huang-was-in-beijing",
        ),
        rtx_5090d_v2,
        scope="RTX 5090 D V2; one weak source",
        weak=True,
    ),
)
