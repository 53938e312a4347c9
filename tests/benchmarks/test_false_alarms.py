"""Simulated studies: what is counted, that nothing differs where nothing was planted, and that a wrong unit is seen."""

import pytest

from benchmarks import false_alarms
from benchmarks.false_alarms import alike, copies, like_scipy, needed, planted, replicates


@pytest.mark.parametrize("metric", ["ndcg", "hits", "auc"])
def test_nothing_and_something_are_told_apart(metric):
    nothing = alike(metric, 30, 20, 0)
    found = planted(metric, 30, 20, 0)
    assert all(share.studies == 20 for share in (*nothing.values(), *found.values()))
    assert all(share.happened <= 5 for share in nothing.values())
    assert found["randomisation p finds it"].happened >= 10
    assert found["95 % interval holds it"].happened >= 12


def test_as_many_users_as_hits_need_find_what_they_are_asked_for():
    users, found = needed(0.25, 40, 0)
    assert users == 47
    assert 24 <= found.happened <= 39


def test_replicates_that_pass_for_users_are_seen_to_be_wrong():
    ours, as_users = replicates(60, 40, 0)
    assert ours.as_dict()["as_nominal"]
    assert not as_users.as_dict()["as_nominal"]


def test_copies_of_an_answer_make_no_interval_shorter():
    width = copies(60, 0)
    assert width["averaged_in_users"] == 1
    assert width["as_users"] < 0.6


def test_fixed_cases_are_scipys():
    apart = like_scipy(0)
    assert apart["p"] < 0.05
    assert max(apart["interval"], apart["d_z"], apart["mcnemar"]) < 1e-9


def test_a_test_that_cries_too_often_ends_with_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(false_alarms, "record", lambda name, fields, command: None)
    monkeypatch.setattr(false_alarms, "_significant", lambda p: p is not None and p <= 0.5)
    monkeypatch.setattr("sys.argv", ["false_alarms", "--studies", "8", "--users", "30"])
    with pytest.raises(SystemExit) as ended:
        false_alarms.main()
    assert ended.value.code == 1
