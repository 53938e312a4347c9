"""One run that is killed in its calls; and the account must see what it is there to see."""

import random
from collections import Counter

import pytest
from small_runs import files

from agents.testing.openai_server import OpenAIServer
from benchmarks import kill_resume
from benchmarks.kill_resume import Account, Bench, Point
from benchmarks.served import KEY, Audience


def test_a_killed_run_goes_on_to_the_same_end(run, tmp_path, monkeypatch):
    monkeypatch.setitem(kill_resume.SIZE, "recommender.model", "popularity")
    monkeypatch.setitem(kill_resume.SIZE, "rounds", 1)
    with OpenAIServer(
        Audience().answer,
        delay=0.02,
        alter=lambda completion: completion | {"model": f"model of {KEY}"},
        headers={"X-Echo": KEY},
    ) as server:
        bench = Bench(server, tmp_path, random.Random(1))
        bench.undisturbed(run)
        bench.disturbed([Point("calls", 0.5)])
        fields = bench.fields()
        assert fields["failures"] == []
        assert (fields["kills"], fields["runs"], fields["stages_hit"]) == (1, 1, {"calls": 1})
        assert (
            fields["paid"]
            == fields["calls_of_a_run"] + fields["in_flight_at_kill"]
            == server.answered - fields["calls_of_a_run"]
        )
        assert KEY in server.received[0].authorization
        assert not [path for path, content in files(tmp_path).items() if KEY.encode() in content]
        (tmp_path / "undisturbed" / "turns.jsonl").write_bytes(b"other turns")
        bench._compare(1, tmp_path / "run-1")
    assert not bench.fields()["identical"]


def test_points_lie_all_over_the_life_of_a_run(tmp_path):
    bench = Bench(OpenAIServer(), tmp_path, random.Random(1))
    drawn = [bench.points() for _ in range(50)]
    assert all(Counter(point.stage for point in points) == Counter(kill_resume.STAGES) for points in drawn)
    assert {points[0].stage for points in drawn} == {"starting", "training"}
    assert len({[point.stage for point in points].index("starting") for points in drawn}) == 6


@pytest.mark.parametrize(
    ("lives", "paid_twice", "in_flight"),
    [
        ([("ab", "ab")], 0, []),
        ([("abc", "ab"), ("c", "abc")], 0, [1]),  # c was on its way
        ([("abc", "a"), ("bc", "ab"), ("c", "abc")], 0, [2, 1]),
        ([("ab", "ab"), ("ac", "abc")], 1, [0]),  # a was on the disk
        ([("abc", "ab"), ("bc", "abc")], 1, [1]),
    ],
)
def test_an_answer_is_paid_twice_if_it_was_on_the_disk(lives, paid_twice, in_flight):
    account = Account(Counter("abc"))
    for number, (sent, journaled) in enumerate(lives, start=1):
        account.ended(sent, journaled, killed=number < len(lives))
    assert (account.paid_twice, account.in_flight, account.strange) == (paid_twice, in_flight, 0)


def test_what_is_asked_twice_by_plan_may_be_paid_twice_and_what_is_not_planned_is_strange():
    account = Account(Counter("aab"))
    account.ended("a", "a", killed=True)
    account.ended("abx", "aabx", killed=False)
    assert (account.paid_twice, account.strange) == (0, 1)
