"""Small runs that reach a cap; and the summary must see a cap that was passed."""

import pytest

from agents.testing.faults import Fault
from agents.testing.openai_server import Received, Sent
from benchmarks import budget
from benchmarks.budget import Bench, Case, spent, summary


def test_a_cap_is_kept_and_a_higher_one_leads_to_the_same_turns(run, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_TIMEOUT", 1.0)
    bench = Bench(run, tmp_path, users=8, seed=1)
    cases = [bench.judge(Case("tokens", True, 0.3)), bench.judge(Case("calls", False, 0.0))]
    found = summary(cases)
    assert found["failures"] == []
    assert (found["cap"], found["spent"], found["tightest"]) == (8, 8, "calls")
    assert 0 < cases[0]["spent"] <= cases[0]["cap"]
    for wrong in (
        {"spent": 9},
        {"spent_in_all": 10**9},
        {"code": 0},
        {"code_resumed": 4},
        {"same_turns": False},
    ):
        assert len(summary([cases[0], {**cases[1], **wrong}])["failures"]) == 1


@pytest.mark.parametrize(
    ("fault", "calls"),
    [(None, 1), (Fault.NO_USAGE, 1), (Fault.CUT_BEFORE, 1), (Fault.HANG, 1), (Fault.ERROR_503, 0)],
)
def test_the_server_charges_what_it_did_not_turn_away(fault, calls):
    found = spent([Sent(Received({}, ""), fault, "x", 1_000_000, 1_000_000)])
    assert (found["calls"], found["tokens"]) == (calls, 2_000_000 * calls)
    assert float(found["cost"]) == pytest.approx(0.75 * calls)
