"""The commands over futures by subprocess: plans, refusals, kills and resumes, a cluster, stress, diff."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outlay.cli import main

SMALL = Path(__file__).with_name("small.yaml")
EVENT = "    - name: h200-stop\n"


def outlay(*arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "outlay.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """Write the small scenario with a change."""
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plan() -> dict[str, object]:
    """Return the small scenario's plan over its futures."""
    found = outlay("plan", SMALL, "--futures", "--json")
    assert found.returncode == 0, found.stderr
    made: dict[str, object] = json.loads(found.stdout)
    return made


def test_a_plan_over_futures_is_audited_in_each(plan: dict[str, object]) -> None:
    """Every future has its check, the gap is proven, orders now are the same in all."""
    audit = plan["audit"]
    assert audit["ok"] is True  # type: ignore[index,call-overload]
    names = [check["name"] for check in audit["checks"]]  # type: ignore[index,call-overload]
    assert [f"future {future['name']}" for future in plan["futures"]] == names[3:]  # type: ignore[index,attr-defined]
    assert plan["gap"] <= 0.005  # type: ignore[operator]
    assert any(order["now"] and order["probability"] == pytest.approx(1.0) for order in plan["orders"])  # type: ignore[attr-defined]


def test_what_is_told_beside_the_plan_hangs_together(plan: dict[str, object]) -> None:
    """Ranges hold the plan; foresight beats ours beats the mean's; earlier is worth no more than at once."""
    for choice in plan["choices"]:  # type: ignore[attr-defined]
        assert choice["least"] <= choice["planned"] <= choice["most"]
        kind = "must-buy" if choice["least"] > 0.5 else "never" if choice["most"] < 0.5 else "choice"
        assert choice["kind"] == kind
    assert plan["stochastic_value"] >= -1e-6 * abs(plan["expected"])  # type: ignore[operator,arg-type]
    assert plan["perfect_value"] >= 0  # type: ignore[operator]
    for known in plan["knowing"]:  # type: ignore[attr-defined]
        assert 0 <= known["a_quarter_earlier"] <= known["at_once"] <= plan["perfect_value"] * 1.01 + 1e4  # type: ignore[operator]
    ours = next(simple for simple in plan["simple"] if simple["name"] == "ours")  # type: ignore[attr-defined]
    for simple in plan["simple"]:  # type: ignore[attr-defined]
        assert simple["expected"] <= ours["expected"] + 0.003 * abs(ours["expected"])


def test_the_text_says_what_to_order_now_and_what_later() -> None:
    """The summary names the orders of now, the condition of later ones and the audit."""
    found = outlay("plan", SMALL, "--futures", "--no-explain")
    assert found.returncode == 0, found.stderr
    assert "now, whatever comes" in found.stdout
    assert "the H200 stops in 2025Q2" in found.stdout
    assert "all hold" in found.stdout


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2025Q2: 50%, 2025Q3: 50%", "2025Q2: 50%, 2025Q3: 40%", "the probabilities of its quarters sum to 0.9, not 1"),
        ("when: {2025Q4: 100%}", "when: {2026Q1: 100%}", "2026Q1 is after the horizon, 2025Q1 to 2025Q4"),
        ("      after: h200-stop\n", "", "let one come `after` the other"),
        ("after: h200-stop", "after: h200-stopp", "unknown event 'h200-stopp'; nearest: h200-stop"),
        ("after: h200-stop", "after: h200-back", "comes after itself"),
        ("      happens: 40%\n", "", "`happens` is missing"),
        ("low: 0.7, high: 1.6", "low: 1.7, high: 1.6", "low 1.7 is not below high 1.6"),
        ("closes: true}, {", "closes: true, opens: true}, {", "closes and opens the same machines"),
        ("chips: [H100 SXM]}, price: 1.2", "chips: [H100 SXN]}, price: 1.2", "H100 SXM"),
    ],
)
def test_futures_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Exit 2 with file, line and the reason."""
    if "after: h200-stop\n" in old:  # both in one quarter, and neither after the other
        path = changed(tmp_path, old, new)
        path.write_text(path.read_text().replace("when: {2025Q4: 100%}", "when: {2025Q3: 100%}"))
    else:
        path = changed(tmp_path, old, new)
    found = outlay("plan", path, "--futures")
    assert found.returncode == 2, found.stdout
    assert words in found.stderr
    assert "changed.yaml:" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--risk-weight", "30%", "--risk-level", "100%"), "risk level 1: expected more than 0 and less than 1"),
        (("--risk-weight", "30%", "--risk-level", "0"), "risk level 0: expected more than 0 and less than 1"),
        (("--risk-weight", "150%"), "risk weight 1.5"),
        (("--resume",), "--resume needs the folder of the run"),
        (("--cluster", "tcp://127.0.0.1:9", "--workers", "2"), "not both"),
        (("--html", "x.html"), "--html and --xlsx show one future"),
    ],
)
def test_options_that_cannot_be_are_refused(options: tuple[str, ...], words: str) -> None:
    """Exit 2 with the reason."""
    found = outlay("plan", SMALL, "--futures", *options)
    assert found.returncode == 2, found.stdout
    assert words in found.stderr
    assert "Traceback" not in found.stderr


def test_a_cluster_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the address, after a second's wait in place of ten."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("outlay.planning.futures.workers.CLUSTER_WAIT_S", 1)
    assert main.run(["plan", str(SMALL), "--futures", "--cluster", "tcp://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err
    assert "no scheduler answers there" in said
    assert "Traceback" not in said


def test_options_of_futures_need_futures() -> None:
    """An option that would do nothing is refused by name, and so is a scenario without futures."""
    found = outlay("plan", SMALL, "--workers", "2")
    assert found.returncode == 2
    assert "--workers goes with --futures" in found.stderr
    found = outlay("plan", SMALL.parents[2] / "small.yaml", "--futures")
    assert found.returncode == 2
    assert "it has no `futures:`" in found.stderr


def test_a_claim_is_set_over_futures_too() -> None:
    """Half the money is told on standard error and in the title, and no future has more ordered for."""
    done = outlay("plan", SMALL, "--futures", "--no-explain", "--json", "--claim", "money.amount=30 million USD")
    assert done.returncode == 0, done.stderr
    assert "money.amount set to 30 million USD" in done.stderr
    told = json.loads(done.stdout)
    assert "[money.amount set to 30 million USD]" in told["title"]
    assert 0 < sum(order["cost"] for order in told["orders"] if order["now"]) <= 30e6
    unknown = outlay("plan", SMALL, "--futures", "--without", "rumour")
    assert unknown.returncode == 2
    assert "status" in unknown.stderr


def test_a_future_in_which_nothing_is_feasible_is_named(tmp_path: Path) -> None:
    """Tokens that must be served cannot be once both parts are closed: the future and the lack are told."""
    text = SMALL.read_text(encoding="utf-8")
    text = text.replace("pays_for: [buy]}", "pays_for: [buy]}\nsourcing: []", 1)
    text = text.replace("{where: {chips: [H100 SXM]}, price: 1.2}", "{where: {chips: [H100 SXM]}, closes: true}")
    text = text.replace("objective: {maximise: value}", "objective: {minimise: cost}").replace(
        "    unmet_penalty: 0.1 USD/million tokens\n", ""
    )
    path = tmp_path / "closed.yaml"
    path.write_text(text, encoding="utf-8")
    found = outlay("plan", path, "--futures", "--no-explain")
    assert found.returncode == 1, found.stdout
    assert "the H200 stops" in found.stderr
    assert "chat" in found.stderr
    assert "tokens/s" in found.stderr


def test_a_killed_driver_resumes_with_the_same_plan(tmp_path: Path) -> None:
    """Kill -9 in mid-run, then --resume: the same orders as a run that was left alone, with answers taken over."""
    many = ("--futures", "--method", "benders", "--draws", "256", "--no-explain", "--json")
    whole = outlay("plan", SMALL, *many)
    assert whole.returncode == 0, whole.stderr
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "outlay.cli.main", "plan", str(SMALL), *many, "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--checkpoint", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*.npz"))) < 10 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # workers finish what they have in hand
    kept = len(list(folder.glob("*.npz")))
    resumed = outlay("plan", SMALL, *many, "--workers", "2", "--checkpoint", folder, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    before, after = json.loads(whole.stdout), json.loads(resumed.stdout)
    assert before["orders"] == after["orders"]
    assert (before["objective"], before["bound"]) == (after["objective"], after["bound"])
    assert after["reused"] == kept >= 10


def test_stress_tells_which_event_breaks_the_plan() -> None:
    """The stop of the H200, which today's plan rests on, is told as what costs it most."""
    found = outlay("stress", SMALL, "--count", "200", "--json")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert told["futures"] == 200
    assert told["events"][0]["event"] == "the H200 stops"
    assert told["events"][0]["value_with"] < told["events"][0]["value_without"]
    assert told["quantiles"]["5%"] <= told["quantiles"]["50%"] <= told["quantiles"]["95%"]
    assert told["worst_tenth"] <= told["mean"]
    assert all(mend["gain"] > 0 for mend in told["mends"])
    again = outlay("stress", SMALL, "--count", "200", "--json")
    assert again.stdout == found.stdout


def test_stress_and_diff_read_a_plan_back(tmp_path: Path) -> None:
    """A plan from a file is stressed as it stands; it differs from itself in nothing, from another in chips."""
    made = outlay("plan", SMALL, "--json")
    (tmp_path / "a.json").write_text(made.stdout, encoding="utf-8")
    smaller = outlay("plan", changed(tmp_path, "60 million USD", "1 million USD"), "--json")
    (tmp_path / "b.json").write_text(smaller.stdout, encoding="utf-8")
    stressed = outlay("stress", SMALL, "--count", "50", "--plan", tmp_path / "a.json", "--json")
    assert stressed.returncode == 0, stressed.stderr
    assert json.loads(stressed.stdout)["as_known"] == pytest.approx(json.loads(made.stdout)["objective"], rel=1e-6)
    same = outlay("diff", tmp_path / "a.json", tmp_path / "a.json")
    assert (same.returncode, "the same orders" in same.stdout) == (0, True)
    other = json.loads(outlay("diff", tmp_path / "a.json", tmp_path / "b.json", "--json").stdout)
    assert other["orders"]
    assert all(change["before"] != change["after"] for change in other["orders"])
    assert other["objective_after"] < other["objective_before"]


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not JSON"), ("[1]", "no plan"), ('{"purchases": []}', "not a plan this version reads")]
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """Exit 2 with the file and the reason."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    found = outlay("stress", SMALL, "--plan", path)
    assert found.returncode == 2
    assert words in found.stderr
    assert "x.json" in found.stderr


def test_backtest_needs_a_record() -> None:
    """A scenario without a record of what happened is refused, and those with one are named."""
    found = outlay("backtest", SMALL)
    assert found.returncode == 2
    assert "bytedance-2025" in found.stderr


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answering(port: int) -> None:
    """Wait until somebody listens at a port."""
    for _ in range(200):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def test_a_cluster_gives_the_same_plan(tmp_path: Path) -> None:
    """Two Dask workers give the plan that one process gives; without workers the cluster is refused."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    many = ("--futures", "--method", "benders", "--draws", "16", "--no-explain", "--json")
    alone = json.loads(outlay("plan", SMALL, *many).stdout)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    port = address.rsplit(":", 1)[1]
    base = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--no-dashboard",
    ]
    scheduler = subprocess.Popen(base, **quiet)  # type: ignore[call-overload]
    started = [scheduler]
    try:
        _answering(int(port))
        empty = outlay("plan", SMALL, *many, "--cluster", address)
        assert empty.returncode == 2
        assert "has no workers" in empty.stderr
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1"]
        started.append(subprocess.Popen([*worker, "--no-dashboard"], **quiet))  # type: ignore[call-overload]
        for _ in range(30):
            there = outlay("plan", SMALL, *many, "--cluster", address)
            if there.returncode == 0:
                break
            time.sleep(1)
        assert there.returncode == 0, there.stderr
        assert json.loads(there.stdout)["orders"] == alone["orders"]
    finally:
        for process in started[::-1]:
            process.terminate()
            process.wait(timeout=20)
