"""The documents that rules cite, each once."""

from __future__ import annotations

from outlay.policy.rule import Citation

LETTER_2022 = Citation(
    "NVIDIA 8-K of 26 August 2022",
    "as quoted in the press",
    "https://shacknews.com/article/132106/nvidia-exports-us-government-license-requirements-china-hong-kong",
)
OCT_2022 = Citation(
    "87 FR 62186 (13 October 2022)",
    "ECCN 3A090 as added",
    "https://www.govinfo.gov/content/pkg/FR-2022-10-13/html/2022-21658.htm",
)
MACAU_2023 = Citation(
    "88 FR 2821",
    "Macau added, law-firm summary",
    "https://www.tradepractitioner.com/2023/01/"
    "bis-amends-ear-to-apply-recent-advanced-computer-and-semiconductor-export-controls-to-macau/",
)
OCT_2023 = Citation(
    "88 FR 73458 (25 October 2023)",
    "ECCN 3A090 and section 742.6(a)(6)(iii)",
    "https://www.govinfo.gov/content/pkg/FR-2023-10-25/html/2023-23055.htm",
)
CCL = Citation(
    "15 CFR part 774, supplement no. 1, issue of 23 July 2026",
    "ECCN 3A090, notes 1 to 4",
    "https://www.ecfr.gov/api/versioner/v1/full/2026-07-23/title-15.xml?part=774",
)
NOTICE_2023 = Citation(
    "NVIDIA filing of 24 October 2023",
    "as reported in the press",
    "https://mindrfid.com/de/news/"
    "nvidia-said-the-new-export-controls-were-effective-immediately-and-did-not-mention-rtx-4090",
)
NAC_2024 = Citation(
    "89 FR 23876 (4 April 2024), customs message CSMS 61882672",
    "section 740.8, NAC and ACA",
    "https://tradelawdaily.com/source/934032",
)
NAC_GUIDE = Citation(
    "BIS, notification for advanced computing",
    "what a notification holds",
    "https://media.bis.gov/licensing/notification-advance-computing-alert",
)
HBM_2024 = Citation(
    "89 FR 96790 (5 December 2024)",
    "ECCN 3A090.c and section 740.25",
    "https://www.govinfo.gov/content/pkg/FR-2024-12-05/html/2024-28270.htm",
)
DIFFUSION = Citation(
    "90 FR 4544 (15 January 2025)",
    "ECCN 3A090.a worldwide; License Exceptions AIA, ACM, LPP; section text not read",
    "https://bis.gov/advanced-compute-resources",
)
DIFFUSION_DATES = Citation(
    "Arnold & Porter advisory on the rule, January 2025",
    "compliance date",
    "https://arnoldporter.com/en/perspectives/advisories/2025/01/commerce-dept-global-restrictions-on-ai-technologies",
)
NOT_ENFORCED = Citation(
    "BIS announcement of 13 May 2025",
    "law-firm summary",
    "https://www.millerchevalier.com/publication/"
    "trade-compliance-flash-key-takeaways-bis-announcements-and-guidance-related-advanced",
)
GAO_2026 = Citation(
    "GAO B-337935 (12 May 2026)", "non-enforcement notice is a rule", "https://www.gao.gov/products/b-337935"
)
LETTER_2025 = Citation(
    "NVIDIA 8-K of 9 April 2025",
    "licence requirement on the H20",
    "https://www.sec.gov/Archives/edgar/data/1045810/000104581025000082/nvda-20250409.htm",
)
LETTER_2025_AMD = Citation(
    "AMD risk factors, 2025", "MI308 licence requirement", "https://www.tipranks.com/stocks/tse%3Aamd/risk-factors"
)
LETTER_2025_LINE = Citation(
    "Silicon UK of April 2025, after the Financial Times",
    "Intel's notice to clients",
    "https://www.silicon.co.uk/cloud/ai/intel-china-ai-609032/amp",
)
GP10 = Citation(
    "BIS guidance of 13 May 2025",
    "General Prohibition 10 and advanced computing circuits of Chinese makers",
    "https://blog.freshfields.us/post/102ksla/"
    "bis-guidance-targets-prc-advanced-computing-integrated-circuits-in-high-probabil",
)
TRAINING_2025 = Citation(
    "BIS policy statement of 13 May 2025",
    "sections 744.6, 744.22 and 744.23: training of models",
    "https://fdassociates.net/advanced-computing-ic-controls-impacts-on-company-compliance-programs/",
)
HQ_2026 = Citation(
    "BIS guidance of 31 May 2026",
    "section 742.6(a)(6)(iii)(A): headquarters in D:5 or Macau",
    "https://www.bis.gov/media/documents/bis-guidance-may-31-2026.pdf",
)
CBC_2026 = Citation(
    "91 FR 1684 (15 January 2026)",
    "section 742.6(b)(10) and supplement no. 2 to part 748, paragraph (dd)",
    "https://www.govinfo.gov/content/pkg/FR-2026-01-15/html/2026-00789.htm",
)
CBC_2026_SCOPE = Citation(
    "Covington on the rule of January 2026",
    "what stays under a presumption of denial",
    "https://www.cov.com/en/news-and-insights/insights/2026/01/us-commerce-department-revises-license-review-policy-"
    "for-exports-of-certain-advanced-computing-commodities-to-china-and-macau",
)
H200_2025 = Citation(
    "President's announcement of 8 December 2025",
    "as reported in the press",
    "https://www.wionews.com/world/ai-chip-war-u-turn-trump-allows-nvidia-h200-sales-to-china-says-xi-jinping-"
    "responded-positively-1765262721420",
)
FOUNDRY_2025 = Citation(
    "BIS interim final rule 2025-00711", "note 1 to ECCN 3A090.a", "https://frtracker.app/fr/2025-00711"
)
AFFILIATES = Citation(
    "90 FR 47201 and 90 FR 50857",
    "law-firm summary",
    "https://www.skadden.com/insights/publications/2025/11/"
    "bis-suspends-affiliates-rule-for-one-year-as-part-of-the-us-china-trade-deal",
)
SAFE_CHIPS = Citation(
    "SAFE Chips Act of 2025, S. 3374",
    "bill text as introduced",
    "https://www.congress.gov/bill/119th-congress/senate-bill/3374",
)
REMOTE_ACCESS = Citation(
    "Remote Access Security Act, H.R. 2683",
    "Congressional Record of 12 January 2026, page H621",
    "https://www.govinfo.gov/content/pkg/CREC-2026-01-12/html/CREC-2026-01-12-pt1-PgH621-5.htm",
)
TARIFF_2026 = Citation(
    "Proclamation of 14 January 2026 under section 232",
    "law-firm summary",
    "https://www.whitecase.com/insight-alert/president-trump-orders-narrowly-targeted-25-section-232-tariff-certain-advanced",
)
TARIFF_BANDS = Citation(
    "Annex to the proclamation",
    "page 2, as carried into s-w-kelly/chip-export-controls, src/data/thresholdData.js",
    "https://github.com/s-w-kelly/chip-export-controls",
)
MALAYSIA_2025 = Citation(
    "Strategic Trade Act, section 12; MITI Directive 1/2025",
    "law-firm summary",
    "https://www.rahmatlim.com/perspectives/articles/31040/mykh-implements-export-control-measures-on-advanced-ai-chips",
)
MALAYSIA_TEXT = Citation(
    "MITI Directive 1/2025 (14 July 2025)", "summary of the notice", "https://taxiseasia.com/?p=9014"
)
CCL_4E091 = Citation(
    "15 CFR part 774, supplement no. 1, issue of 23 July 2026",
    "ECCN 4E091",
    "https://www.ecfr.gov/api/versioner/v1/full/2026-07-23/title-15.xml?part=774",
)
PILLSBURY = Citation(
    "Pillsbury on GAO B-337935",
    "the rule remains legally in effect",
    "https://www.pillsburylaw.com/en/news-and-insights/"
    "gao-commerce-non-enforcement-ai-diffusion-rule-congressional-review-act.html",
)
FILING_2026 = Citation(
    "NVIDIA 10-K for the fiscal year to 25 January 2026",
    "paragraphs on export controls, as quoted",
    "https://www.sec.gov/Archives/edgar/data/1045810/000104581026000021/nvda-20260125.htm",
)
FILING_AUGUST = Citation(
    "NVIDIA 10-Q of 26 August 2026",
    "licensed H200 shipments, through a research note",
    "https://www.sec.gov/Archives/edgar/data/1045810/000104581026000075/nvda-20260726.htm",
)
SHARE_AMD = Citation(
    "Jon Peddie Research of December 2025", "AMD's readiness to pay 15 %", "https://www.jonpeddie.com/?p=51382"
)
ASSURED_2025 = Citation(
    "CNBC of 15 July 2025",
    "address from a research note, page not read",
    "https://www.cnbc.com/2025/07/15/nvidia-says-us-government-will-allow-it-to-resume-h20-ai-chip-sales-to-china.html",
)
FOUNDRY_FIX = Citation(
    "90 FR 9604 (14 February 2025)",
    "correction of ECCN 3A090",
    "https://www.govinfo.gov/content/pkg/FR-2025-02-14/html/2025-02655.htm",
)
GP10_WORDING = Citation(
    "Export Compliance Daily of 20 May 2025",
    "wording withdrawn",
    "https://exportcompliancedaily.com/article/2025/05/20/"
    "bis-eliminates-language-saying-use-of-huawei-ascend-chips-anywhere-violates-export-controls-2505190030",
)
RENTING = Citation(
    "15 CFR section 744.6 and BIS statements",
    "law-firm summary of 13 May 2025; Congressional Record of 12 January 2026, page H621",
    "https://www.govinfo.gov/content/pkg/CREC-2026-01-12/html/CREC-2026-01-12-pt1-PgH621-5.htm",
)
AFFILIATES_BACK = Citation(
    "90 FR 50857",
    "suspension to 9 November 2026, law-firm summary",
    "https://www.internationaltradeinsights.com/2025/11/"
    "bis-suspends-affiliates-rule-for-one-year-following-u-s-agreement-with-china",
)
ENTITIES_2023 = Citation(
    "BIS rule of 17 October 2023",
    "law-firm summary",
    "https://www.thompsonhinesmartrade.com/2023/10/"
    "bis-adds-13-chinese-companies-to-entity-list-for-involvement-in-developing-advanced-computing-chips/",
)
TARIFF_USES = Citation(
    "AI Legal Journal of January 2026",
    "exempt uses",
    "https://www.ailegaljournal.com/2026/01/"
    "president-trump-announces-section-232-tariffs-on-semiconductors-and-their-derivative-products",
)
PAFACA = Citation(
    "Public Law 118-50, division H; EO 14166", "deadline and first delay", "https://www.executiveactions.org/400"
)
EO_14258 = Citation(
    "Order of 19 June 2025",
    "delay to 17 September 2025",
    "https://www.directivewatch.com/article/presidential-action-further-extending-tiktok-enforcement-delay-19-06-25",
)
EO_14350 = Citation(
    "EO 14350 (16 September 2025)",
    "delay to 16 December 2025",
    "https://trumpexecutiveorders.com/order/2025-18482",
)
EO_OF_SEPTEMBER = Citation(
    "Order of 25 September 2025",
    "120 days, press",
    "https://www.businesstechweekly.com/technology-news/"
    "tiktoks-us-future-navigating-uncertainty-as-january-23-divestiture-deadline-approaches",
)
JOINT_VENTURE = Citation(
    "Free Malaysia Today of 23 January 2026",
    "joint venture established",
    "https://www.freemalaysiatoday.com/category/business/2026/01/23/"
    "tiktok-seals-deal-to-create-us-venture-with-oracle-silver-lake",
)
EO_14110 = Citation(
    "EO 14110 (30 October 2023)",
    "reporting at 10^26 operations, law-firm summary",
    "https://www.mofo.com/resources/insights/231107",
)
EO_14110_END = Citation(
    "Order of 20 January 2025",
    "revocation, law-firm summary",
    "https://quarles.com/newsroom/publications/2023-ai-safety-executive-order-revoked-and-what-lies-ahead-for-ai",
)
GAIN = Citation(
    "Senate version of the defence act of 2026", "law-firm summary", "https://sanctionsnews.bakermckenzie.com/?p=4875"
)
GAIN_END = Citation("Nextgov of December 2025", "not expected in the final text", "https://www.nextgov.com/409920")
CHIP_SECURITY = Citation(
    "Chip Security Act, H.R. 3447 and S. 1705", "press on the committee", "https://thedailyscout.com/s/QIqYgAecCio"
)
OVERWATCH = Citation(
    "AI OVERWATCH Act, H.R. 6875",
    "press on the committee",
    "https://principlecivics.com/events/b519a05e-87f2-40cb-a866-f115ff284675",
)
OVERWATCH_SENATE = Citation(
    "AI OVERWATCH Act, S. 4456",
    "bill as introduced, opening read",
    "https://www.govinfo.gov/content/pkg/BILLS-119s4456is.zip",
)
DRAFT_2026 = Citation(
    "Global Trade and Sanctions Law of March 2026",
    "the draft as reported",
    "https://www.globaltradeandsanctionslaw.com/amp/"
    "reported-draft-rules-signal-new-semiconductor-export-controls-framework",
)
DRAFT_END = Citation(
    "WTO Center of March 2026",
    "the draft withdrawn",
    "https://wtocenter.vn/chuyen-de/29807-us-withdraws-proposed-rule-on-global-ai-chip-exports",
)
EU_AI_ACT = Citation("Regulation (EU) 2024/1689", "article 51(2)", "https://ai-act-law.eu/article/51/")
EU_AI_NOTICE = Citation(
    "Regulation (EU) 2024/1689",
    "notice within two weeks, as summarised",
    "https://mmoww.net/ai/laws/eu-ai-act-gpai-flops-threshold-systemic-risk/",
)
EU_ENERGY = Citation(
    "Directive (EU) 2023/1791, article 12; Delegated Regulation (EU) 2024/1364",
    "summary",
    "https://www.eudca.org/eed-knowledge-hub",
)
AUSTRALIA = Citation(
    "National AI Plan (2 December 2025)",
    "law-firm summary",
    "https://www.mallesons.com/content/mallesons/au/en/insights/latest-thinking/"
    "australias-ai-plan-where-is-australia-going-with-ai",
)
HBM_CSIS = Citation(
    "CSIS, Understanding the Biden Administration's Updated Export Controls",
    "which generations the lines reach",
    "https://www.csis.org/analysis/understanding-biden-administrations-updated-export-controls",
)
SUPERCOMPUTERS = Citation(
    "87 FR 62186 (13 October 2022)",
    "section 744.23 and the definition of a supercomputer, as summarised by Norton Rose Fulbright",
    "https://www.govinfo.gov/content/pkg/FR-2022-10-13/html/2022-21658.htm",
)
