"""What holds for every text: no exception, only candidates, statuses that agree with the counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reply import Asked, Status, TitleIndex, parse
from agents.testing.replies import contradictions
from prompts.titles import inline

TITLES = [
    "Heat (1995)",
    "Big (1988)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Game, The (1997)",
    "Not One Less (1999)",
    "I (2015)",
    "Seven (Se7en) (1995)",
    "Yes, Madam (1995)",
    "Girl, Interrupted (1999)",
    "Kiss the Girls (1997)",
    "Scream 2 (1997)",
    "Postino, Il (The Postman) (1994)",
    "I would accept these recommendations: Heat",
    "***",
]
FRAGMENTS = st.sampled_from(
    [
        *TITLES, "Heat", "The Game", "Sabrina", "big", "Alien (1979)", ", ", " > ", " → ", "\n", "\n\n", "1. ", "2. ", "- ", "* ", "**", "| ",
        "(", ")", '"', ": ", ". ", "; ", " and ", " but not ", " maybe ", " because ", "I would accept these recommendations: ",
        "I would accept ", "I would not accept ", "I would reject ", "my ranking as Ann would be ", "Ranking:\n", "none of them",
        "<think>", "</think>", "```json\n", "I might be hesitant to accept ", "this recommendation", "I'm sorry", "as an AI", "\\hat{c}",
        "\ue000", "\ue001", "\u200b", "e\u0301", "½", "ﬁ", "\x00", "a. ", "b. ", "Accepted", "accept", "would", "not ", "except ",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80), st.lists(st.one_of(FRAGMENTS, st.text(max_size=4)), max_size=25).map("".join)
)
SLATES = st.lists(st.sampled_from(TITLES), max_size=8)
ASKED = st.sampled_from(
    [Asked(accept=True, rank=False), Asked(accept=False, rank=True), Asked(accept=True, rank=True)]
)


@settings(max_examples=600, deadline=None)
@given(text=TEXTS, slate=SLATES, reason=st.sampled_from(["stop", "length", ""]), asked=ASKED)
def test_every_verdict_is_consistent(text: str, slate: list[str], reason: str, asked: Asked) -> None:
    assert contradictions(parse(text, slate, reason, asked), len(slate), reason, asked) == []


AROUND = [
    "\n\n{}",
    "{}\n \n",
    "  {}",
    "<think>I would accept Heat, no, Big.\nRanking: Big, Heat</think>\n{}",
    "```\n{}\n```",
    "~~~text\n{}\n~~~\n",
]


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, slate=SLATES, asked=ASKED, around=st.sampled_from(AROUND))
def test_space_thoughts_and_fences_around_a_reply_change_nothing(
    text: str, slate: list[str], asked: Asked, around: str
) -> None:
    if any(sign in text for sign in ("think", "```", "~~~")):
        return
    assert parse(around.format(text), slate, "stop", asked) == parse(text, slate, "stop", asked)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, slate=SLATES, asked=ASKED)
def test_a_reply_that_was_cut_off_is_truncated_with_the_same_counts(
    text: str, slate: list[str], asked: Asked
) -> None:
    cut, whole = parse(text, slate, "length", asked), parse(text, slate, "stop", asked)
    assert cut.status is Status.TRUNCATED
    assert (cut.duplicate, cut.unknown, cut.ambiguous) == (whole.duplicate, whole.unknown, whole.ambiguous)


NEGATED = st.sampled_from(
    [
        "I would not accept {}.", "I wouldn't accept {}.", "I don't think I would accept {}.", "I would never accept {}.",
        "I would reject {}.", "{}: I would not accept this recommendation.", "I cannot accept {} or anything like it.",
        "I would not, under any circumstances, accept {}.", "I would not accept these recommendations: {}.",
        "I would not accept these recommendations:\n- {}", "Rejected: {}", "I am unwilling to accept {}.", "{} - I won't accept it",
        "I might accept {}.", "I am not sure I would accept {}.", "I would hesitate to accept {}.",
    ]
)  # fmt: skip
PLAIN = [
    "Heat (1995)",
    "Big (1988)",
    "Game, The (1997)",
    "Not One Less (1999)",
    "Yes, Madam (1995)",
    "Scream 2 (1997)",
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(NEGATED, st.sampled_from(PLAIN)), min_size=1, max_size=4),
    st.sampled_from(["\n", "\n\n", " "]),
)
def test_negated_or_hedged_clauses_never_accept(clauses: list[tuple[str, str]], joint: str) -> None:
    text = joint.join(template.format(title) for template, title in clauses)
    assert parse(text, PLAIN, "stop", Asked(accept=True, rank=False)).accepted == ()


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_mentions_are_in_order_and_do_not_overlap(text: str) -> None:
    at = 0
    for mention in TitleIndex(TITLES).find(text):
        assert at <= mention.start < mention.end <= len(text)
        assert mention.positions == tuple(sorted(set(mention.positions)))
        assert all(0 <= position < len(TITLES) for position in mention.positions)
        at = mention.end


def test_hostile_texts_take_linear_time() -> None:
    for unit in [
        "(",
        "*",
        "!",
        "\n",
        " ",
        "<think>",
        "accept ",
        "1. ",
        "ranking ",
        "- ",
        "not ",
        '"',
        "Heat, ",
        "I would accept ",
    ]:
        parse(unit * 4000, TITLES, "stop", Asked(accept=True, rank=True))


@settings(max_examples=300, deadline=None)
@given(title=TEXTS.map(inline).filter(bool), asked=ASKED)
def test_a_title_never_accepts_another_in_the_user_s_place(title: str, asked: Asked) -> None:
    slate = [title, "Heat (1995)", "Quiet Harbour (1961)"]
    text = f"I would accept these recommendations: {title}, Heat (1995)\nmy ranking as Ann would be Heat (1995), {title}"
    verdict = parse(text, slate, "stop", asked)
    assert 2 not in verdict.accepted + verdict.ranking
    assert contradictions(verdict, 3, "stop", asked) == []
