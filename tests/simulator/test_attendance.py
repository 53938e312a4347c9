"""Who is there: a function of seed, ids and what was accepted, and of nothing else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turns_made import turn

from simulator.attendance import Attendance, accepted_share
from simulator.scenario.living import Population

USERS = [f"u{number}" for number in range(300)]
LATER = [f"n{number}" for number in range(20)]


def presences(rules, rounds, *, share=0.5, seed=0, replicate=0, users=USERS, newcomers=LATER):
    """Who was there, round by round, everybody accepting `share` of all that is shown."""
    attendance = Attendance(rules, seed, replicate, users, newcomers)
    found = []
    for number in range(1, rounds + 1):
        present = attendance.present(number)
        found.append(list(present))
        attendance.settle((user, share) for user in present)
    return found, attendance


def test_by_default_everybody_comes_to_every_round_and_stays():
    found, attendance = presences(Population(), 5, share=0.0)
    assert Population().still
    assert found == [USERS] * 5
    assert attendance.members == USERS
    assert attendance.retention == 1


def test_activity_is_the_share_that_comes_to_a_session_and_pages_are_turned_by_those_who_came():
    found, _ = presences(Population(activity=0.6, pages=3), 9)
    for first, second, third in zip(found[::3], found[1::3], found[2::3], strict=True):
        assert first == second == third
        assert len(first) / len(USERS) == pytest.approx(0.6, abs=0.1)
    assert found[0] != found[3]


def test_fatigue_ends_sessions_page_by_page_and_the_next_begins_with_everybody():
    found, _ = presences(Population(pages=4, fatigue=0.3), 8)
    for session in (found[:4], found[4:]):
        assert session[0] == USERS
        assert all(set(later) <= set(earlier) for earlier, later in itertools.pairwise(session))
        shares = [len(later) / len(earlier) for earlier, later in itertools.pairwise(session)]
        assert shares == pytest.approx([0.7, 0.49, 0.343], abs=0.12)


def test_the_content_stay_and_the_discontent_leave_for_good():
    content, stayed = presences(Population(churn=1, satisfaction=1), 6, share=1.0)
    assert content == [USERS] * 6
    assert stayed.retention == 1
    unhappy, left = presences(Population(churn=1, satisfaction=0), 3, share=0.0)
    assert unhappy == [USERS, [], []]
    assert left.retention == 0
    between, _ = presences(Population(churn=0.5, satisfaction=0.5, satisfaction_rate=0), 2, share=0.0)
    assert len(between[1]) / len(USERS) == pytest.approx(0.75, abs=0.1)


def test_satisfaction_moves_towards_what_a_page_was_worth():
    rules = Population(satisfaction=0.5, satisfaction_rate=0.2, expects=0.4)
    attendance = Attendance(rules, 0, 0, ["u"], [])
    attendance.present(1)
    attendance.settle([("u", 0.1)])
    assert attendance.satisfaction("u") == pytest.approx(0.5 + 0.2 * (0.25 - 0.5))
    attendance.settle([("u", 1.0)])
    assert attendance.satisfaction("u") == pytest.approx(0.45 + 0.2 * (1 - 0.45))
    attendance.settle([("u", None)])
    assert attendance.satisfaction("u") == pytest.approx(0.56)


def test_a_turn_without_a_usable_answer_says_nothing_of_satisfaction():
    assert accepted_share(turn(fallback=True)) is None
    assert accepted_share(turn(undecided=())) is None, "asked for a ranking only"
    assert accepted_share(turn(accepted=("a", "e"))) == 0.5


def test_newcomers_join_in_their_order_a_few_at_each_session_after_the_first():
    found, attendance = presences(Population(newcomers=3, pages=2), 8, users=["u"])
    assert [len(present) for present in found] == [1, 1, 4, 4, 7, 7, 10, 10]
    assert found[-1] == ["u", *LATER[:9]]
    assert attendance.retention == 1
    assert Population(newcomers=3, pages=2).joining(8) == 9


def test_whoever_has_seen_everything_leaves():
    attendance = Attendance(Population(), 0, 0, ["u", "v"], [])
    assert attendance.present(1) == ["u", "v"]
    attendance.exhausted("u")
    assert attendance.present(2) == ["v"]
    assert attendance.members == ["v"]
    assert attendance.retention == 0.5


def test_replicates_and_seeds_have_draws_of_their_own():
    rules = Population(activity=0.5)
    alone = presences(rules, 2)[0]
    assert alone == presences(rules, 2)[0]
    assert alone != presences(rules, 2, replicate=1)[0]
    assert alone != presences(rules, 2, seed=1)[0]


@given(
    rules=st.builds(
        Population,
        pages=st.integers(1, 3),
        activity=st.floats(0.1, 1),
        fatigue=st.floats(0, 1),
        churn=st.floats(0, 1),
        newcomers=st.integers(0, 3),
    ),
    shares=st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=5),
    others=st.integers(1, 30),
)
def test_nobody_returns_who_left_and_nobody_depends_on_who_else_there_is(rules, shares, others):
    def lives(users):
        attendance, found, gone = Attendance(rules, 3, 0, users, []), [], set()
        for number in range(1, 3 * rules.pages + 1):
            present = list(attendance.present(number))
            assert len(set(present)) == len(present)
            assert not gone & set(present)
            gone |= set(users) - set(attendance.members)
            attendance.settle(
                (user, shares[(int(user[1:]) + number) % len(shares)]) for user in reversed(present)
            )
            found.append("u0" in present)
            assert all(0 <= attendance.satisfaction(user) <= 1 for user in users)
        return found

    assert lives(["u0"]) == lives(USERS[:others])
