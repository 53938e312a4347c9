"""Several recommenders before one population: shared fairly, credited rightly, and the better one found."""

import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_runs import go_on, replay, simulate
from turns_made import turn

from simulator.measures.traffic import SharedTraffic
from simulator.proposing import Listed
from simulator.report.traffic import traffic_findings
from simulator.scenario.living import Traffic
from simulator.traffic import split_users, team_draft
from simulator.transcript.__main__ import main as transcript
from simulator.transcript.verifying import verify

COMMON = ("cold_start.lengths=null", "refinement={policy: replace}", "rounds=2")


def traffic(mode, **challengers):
    told = ", ".join(f"{name}: {{recommender.model: '{model}'}}" for name, model in challengers.items())
    return f"traffic={{mode: {mode}, challengers: {{{told}}}}}"


@pytest.fixture(scope="module", params=["split", "interleaved"])
def shared(request, tmp_path_factory):
    run = simulate(
        tmp_path_factory.mktemp("runs") / request.param,
        *COMMON,
        "users.count=40",
        traffic(request.param, scattered="narrow_models:Scattered"),
    )
    assert run.code == 0, run.err
    return run


def listed(items):
    return Listed(tuple(items), tuple(float(-place) for place in range(len(items))))


LISTS = st.lists(st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=8), min_size=1, max_size=4)


@given(lists=LISTS, size=st.integers(1, 12), seed=st.integers(0, 50))
def test_a_draft_takes_the_best_that_is_left_of_each_team_in_turn(lists, size, seed):
    teams = {f"team{number}": listed(items) for number, items in enumerate(lists)}
    items, brought = team_draft(teams, size, seed, "u", 1)
    assert (
        len(set(items))
        == len(items)
        == len(brought)
        == min(size, len({item for own in lists for item in own}))
    )
    taken = set()
    for item, name in zip(items, brought, strict=True):
        assert item == next(each for each in teams[name].items if each not in taken)
        taken.add(item)
    assert team_draft(teams, size, seed, "u", 1) == (items, brought)


def test_equal_lists_have_equal_credit_at_every_place():
    teams = {"one": listed("abcdef"), "two": listed("abcdef")}
    counts = [Counter() for _ in range(6)]
    for user in range(2_000):
        items, brought = team_draft(teams, 6, 0, user)
        assert items == list("abcdef")
        assert Counter(brought) == {"one": 3, "two": 3}
        for count, name in zip(counts, brought, strict=True):
            count[name] += 1
    assert all(stats.binomtest(count["one"], 2_000).pvalue > 1e-4 for count in counts)


def test_users_are_split_in_equal_parts_and_by_seed_alone():
    users = [f"u{number}" for number in range(101)]
    assigned = split_users(users, ["a", "b", "c"], 0)
    assert sorted(Counter(assigned.values()).values()) == [33, 34, 34]
    assert assigned == split_users(users, ["a", "b", "c"], 0) != split_users(users, ["a", "b", "c"], 1)


def test_turns_say_who_brought_each_item(shared):
    mode = shared.summary["traffic"]["mode"]
    for each in shared.turns:
        assert len(each["sources"]) == len(each["slate"]) == 10
        assert Counter(each["sources"]) == (
            {each["sources"][0]: 10} if mode == "split" else {"control": 5, "scattered": 5}
        )
    by_user = {}
    for each in shared.turns:
        by_user.setdefault(each["user_id"], set()).update(each["sources"])
    if mode == "split":
        assert Counter(map(len, by_user.values())) == {1: 40}
        assert sorted(Counter(*zip(*by_user.values(), strict=True)).values()) == [20, 20]


def test_it_is_verified_replayed_and_gone_on_with(shared, tmp_path):
    found = verify(shared.path)
    assert found.whole, found.faults
    assert any("shared traffic" in line for line in found.checked)
    again = replay(shared, tmp_path / "again")
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == shared.bytes_of("turns.jsonl")
    assert again.summary["traffic"] == shared.summary["traffic"]
    assert go_on(shared.path).code == 0


def test_it_is_shared_as_one_file_and_replayed_from_it(shared, tmp_path, capsys):
    assert transcript(["export", str(shared.path), str(tmp_path / "run.zip")]) == 0
    assert transcript(["import", str(tmp_path / "run.zip"), "--out", str(tmp_path / "run")]) == 0
    again = simulate(tmp_path / "again", options=("--replay", tmp_path / "run"), scenario=None)
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == shared.bytes_of("turns.jsonl")
    shutil.rmtree(tmp_path / "run" / "challengers")
    without = simulate(tmp_path / "without", options=("--replay", tmp_path / "run"), scenario=None)
    assert without.code == 2
    assert "how 0 of 1 challengers were trained" in without.err


def test_a_better_recommender_is_found_and_interleaving_finds_it_with_less(tmp_path):
    widths = {}
    for mode in ("split", "interleaved"):
        run = simulate(
            tmp_path / mode, *COMMON, "users.count=60", "recommender.model='narrow_models:Scattered'",
            traffic(mode, better="ease-recent"),
        )  # fmt: skip
        assert run.code == 0, run.err
        told = run.summary["traffic"]["arms"]["history-all"]["against_control"]["better"]
        entry = told["preference" if mode == "interleaved" else "acceptance"]
        assert entry["low"] > 0
        assert entry["p"] < 0.01
        widths[mode] = entry["mean"] / (entry["high"] - entry["low"])
        (said,) = traffic_findings(run.summary["traffic"])
        assert ("preferred to" if mode == "interleaved" else "accepted more than") in said
        assert said in " ".join(run.out.split()) + "."
    assert widths["interleaved"] > widths["split"]


def test_a_recommender_against_itself_is_no_difference(tmp_path):
    run = simulate(tmp_path / "run", *COMMON, "users.count=60", traffic("interleaved", same="popularity"))
    entry = run.summary["traffic"]["arms"]["history-all"]["against_control"]["same"]["preference"]
    assert entry["low"] < 0 < entry["high"]
    assert entry["p"] > 0.01


def test_credit_by_hand():
    told = SharedTraffic(Traffic(mode="interleaved", challengers={"b": {"recommender.model": "ease"}}))
    sources = ("control", "b", "control", "b", "control")
    list(
        told.watched(
            [
                turn(user_id="u1", accepted=("a", "b", "d"), sources=sources),
                turn(user_id="u1", round=2, accepted=("b",), sources=sources),
                turn(user_id="u2", accepted=("a",), sources=sources),
                turn(user_id="u3", accepted=(), sources=sources),
                turn(user_id="u4", accepted=("a",), sources=sources, fallback=True),
            ]
        )
    )
    own = told.told(0)["arms"]["history-5"]
    assert own["recommenders"]["b"] == {"accepted": 3, "users": 4}
    assert own["recommenders"]["control"] == {"accepted": 2, "users": 4}
    found = own["against_control"]["b"]["preference"]
    assert found["mean"] == pytest.approx((0.5 - 1 + 0 + 0) / 4)
    assert (found["wins"], found["ties"], found["losses"], own["unusable"]) == (1, 2, 1, 1)


def test_split_users_are_compared_by_welch():
    told = SharedTraffic(Traffic(mode="split", challengers={"b": {"recommender.model": "ease"}}))
    shares = {"control": [1, 2, 2, 0], "b": [3, 4, 2]}
    for name, counts in shares.items():
        for number, count in enumerate(counts):
            told.add(turn(user_id=f"{name}{number}", accepted=tuple("abcde"[:count]), sources=(name,) * 5))
    found = told.told(0)["arms"]["history-5"]["against_control"]["b"]["acceptance"]
    test = stats.ttest_ind(np.array(shares["b"]) / 5, np.array(shares["control"]) / 5, equal_var=False)
    assert (found["low"], found["high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert (found["p"], found["users"], found["control_users"]) == (pytest.approx(test.pvalue), 3, 4)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["traffic={challengers: {}}"], "traffic.challengers"),
        ([traffic("split", control="ease")], "other names than the control's"),
        (["traffic={challengers: {a: {users.count: 3}}}"], "below recommender or features"),
        ([traffic("split", a="eease")], "eease"),
        ([traffic("split", a="ease"), "arms={x: {}, y: {recommender.model: ease}}"], "share the traffic"),
    ],
)
def test_traffic_that_cannot_be_is_refused(tmp_path, overrides, said):
    run = simulate(tmp_path / "run", *overrides)
    assert run.code == 2
    assert said in " ".join(run.err.split())
    assert not (tmp_path / "run" / "turns.jsonl").exists()
