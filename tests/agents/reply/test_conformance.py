"""The forms of reply that the shipped templates ask for, and those that models make of them."""

import pytest

from agents.reply import Asked, Status, Verdict, parse
from agents.testing.replies import ReplyFormConformance, contradictions


class TestTheAskedForm(ReplyFormConformance):
    def write(self, shown, accepted, ranking):
        names = ", ".join(shown[place] for place in accepted) or "none of them"
        order = ", ".join(shown[place] for place in ranking)
        return f"I would accept these recommendations: {names}\nmy ranking as Ann would be {order}"


class TestAcceptOnly(ReplyFormConformance):
    asked = Asked(accept=True, rank=False)

    def write(self, shown, accepted, ranking):
        names = ", ".join(shown[place] for place in accepted) or "none of them"
        return f"I would accept these recommendations: {names}"


class TestArrowsOnly(ReplyFormConformance):
    asked = Asked(accept=False, rank=True)

    def write(self, shown, accepted, ranking):
        return f"my ranking as Ann would be {' → '.join(shown[place] for place in ranking)}"


class TestNumberedWithReasons(ReplyFormConformance):
    def write(self, shown, accepted, ranking):
        names = "\n".join(f"- **{shown[place]}**: it fits my taste." for place in accepted) or "none of them"
        order = "\n".join(
            f"{n}. **{shown[place]}** - as good as the last" for n, place in enumerate(ranking, 1)
        )
        return f"I would accept these recommendations:\n{names}\n\nMy ranking as Ann would be:\n{order}\n"


class TestSemicolons(ReplyFormConformance):
    def write(self, shown, accepted, ranking):
        names = "; ".join(shown[place] for place in accepted) or "none"
        return f"Accepted: {names}\n\nRanking: {'; '.join(shown[place] for place in ranking)}."


BOTH = Asked(accept=True, rank=True)
RIGHT = Verdict(Status.OK, (1, 0), (1,), (0,))


@pytest.mark.parametrize(
    ("verdict", "reason", "asked", "fault"),
    [
        (Verdict(Status.OK, (1, 2), (1,), (0,)), "stop", BOTH, "outside the candidates"),
        (Verdict(Status.OK, (1, 0, 1), (1,), (0,)), "stop", BOTH, "twice"),
        (Verdict(Status.OK, (1, 0), (1,), (0, 1)), "stop", BOTH, "twice"),
        (Verdict(Status.OK, (1,), (1,), (0,), (), (0,)), "stop", BOTH, "incompletely"),
        (Verdict(Status.OK, (1, 0), (1,)), "stop", BOTH, "some candidates only"),
        (Verdict(Status.OK, (1, 0)), "stop", BOTH, "nothing accepted"),
        (Verdict(Status.OK, (1, 0), (1,), (0,), duplicate=1), "stop", BOTH, "ok with counts"),
        (Verdict(Status.REPAIRED, (1, 0), (1,), (0,)), "stop", BOTH, "without counts"),
        (Verdict(Status.REPAIRED, (1, 0), (1,), (0,), unknown=(" ",)), "stop", BOTH, "without text"),
        (RIGHT, "length", BOTH, "not truncated"),
        (Verdict(Status.TRUNCATED, missing=(0, 1)), "stop", BOTH, "not cut off"),
        (Verdict(Status.REFUSED, (1, 0), (1,), (0,)), "stop", BOTH, "carries none"),
        (Verdict(Status.PARTIAL, missing=(0, 1)), "stop", BOTH, "carries one"),
        (RIGHT, "stop", Asked(accept=True, rank=False), "ranking that was not asked"),
        (RIGHT, "stop", Asked(accept=False, rank=True), "acceptance that was not asked"),
        (Verdict(Status.UNPARSEABLE), "stop", BOTH, "not all candidates"),
    ],
)
def test_a_verdict_that_cannot_be_is_seen(verdict, reason, asked, fault):
    assert fault in "; ".join(contradictions(verdict, 2, reason, asked))
    assert contradictions(RIGHT, 2, "stop", BOTH) == []


class FirstItem(TestTheAskedForm):
    """A parser that answers in the user's place where it can read nothing, and drops what it does not know."""

    def parse(self, text, candidates, finish_reason, asked):
        verdict = parse(text, candidates, "stop", asked)
        return Verdict(
            Status.OK, verdict.ranking or tuple(range(len(candidates))), verdict.accepted, verdict.rejected
        )


@pytest.mark.parametrize(
    "test",
    [
        "test_what_is_left_out_of_a_ranking_is_missing",
        "test_what_is_repeated_counts_once",
        "test_what_was_not_shown_is_unknown",
        "test_a_reply_that_was_cut_off_carries_no_decision",
        "test_every_beginning_is_read_without_a_contradiction",
    ],
)
def test_the_suite_fails_a_parser_that_invents(test):
    with pytest.raises(AssertionError):
        getattr(FirstItem(), test)()
