import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.encounters import Encounter, tell
from agents.llm.tokens import estimate_tokens
from prompts import TemplateError, load_family, session_template

FAMILY = load_family("paper")
ROUNDS, FORM = session_template(FAMILY, "rounds"), FAMILY.candidates
ALL = 10**6
CUT = re.compile(r"\((\d+) earlier rounds? left out\)")

titles = st.lists(st.text("abc, .()\n{}[]my ranking", max_size=12).map(lambda t: f"T{t}"), max_size=5).map(
    tuple
)
pasts = st.lists(st.tuples(titles, titles, titles), max_size=12).map(
    lambda rounds: [Encounter(number, *groups) for number, groups in enumerate(rounds, 1)]
)


def told(encounters, budget):
    return tell(encounters, ROUNDS, FORM, budget)


def test_a_round_is_told_by_what_was_decided_and_what_is_empty_is_left_out():
    first = Encounter(1, ("Alpha (1990)", "Beta, The (1991)"), ("Gamma (1992)",), ("Delta (1993)",))
    assert told([first, Encounter(2, rejected=("Alpha (1990)",))], ALL) == (
        "In round 1 the recommender showed you 4 items. You accepted Alpha (1990), Beta, The (1991). "
        "You did not accept Gamma (1992). You made no decision about Delta (1993).\n"
        "In round 2 the recommender showed you 1 items. You did not accept Alpha (1990)."
    )


def test_nothing_past_is_no_text():
    assert told([], ALL) == ""


@given(pasts, st.integers(0, 400))
def test_the_budget_is_never_exceeded_the_newest_are_kept_and_what_was_cut_is_counted(encounters, budget):
    text = told(encounters, budget)
    assert estimate_tokens(text) <= budget
    kept = [int(number) for number in re.findall(r"^In round (\d+) ", text, re.MULTILINE)]
    assert kept == list(range(len(encounters) - len(kept) + 1, len(encounters) + 1))
    said = CUT.match(text)
    assert not text or len(kept) + (int(said.group(1)) if said else 0) == len(encounters)
    if encounters and not text:
        assert estimate_tokens(f"({len(encounters)} earlier rounds left out)") >= budget


@given(pasts)
def test_a_round_is_one_line_whatever_its_titles_hold(encounters):
    assert len(told(encounters, ALL).splitlines()) == len(encounters)


def test_a_family_may_tell_rounds_in_its_own_words(tmp_path):
    shipped = FAMILY.folder
    family = type(FAMILY)(**{**vars(FAMILY), "folder": tmp_path})
    assert session_template(family, "rounds") == ROUNDS
    assert shipped != tmp_path
    (tmp_path / "rounds.txt").write_text("[[Bought {accepted}]]\n")
    own = session_template(family, "rounds")
    assert own.render({"accepted": "X"}) == "Bought X"
    assert own.hash != ROUNDS.hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Round {round}:\n[[ {acepted}]]",
            "rounds.txt:2: unknown placeholder {acepted}; did you mean 'accepted'?",
        ),
        ("Round {round}: {accepted}", "rounds.txt:1: {accepted} may have no value; put it into a clause"),
    ],
)
def test_a_template_that_cannot_work_is_refused_at_its_place(tmp_path, text, expected):
    (tmp_path / "rounds.txt").write_text(text)
    with pytest.raises(TemplateError, match=re.escape(expected)):
        session_template(type(FAMILY)(**{**vars(FAMILY), "folder": tmp_path}), "rounds")
