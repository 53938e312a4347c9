"""Replies written by hand: the paper's dialogue, refusals, negations, hedges, list forms, odd titles."""

from __future__ import annotations

import pytest

from agents.reply import Asked, Status, Verdict, parse

ACCEPT = Asked(accept=True, rank=False)
RANK = Asked(accept=False, rank=True)
BOTH = Asked(accept=True, rank=True)

FIGURE_7 = r"""As Steve, based on my movie preferences and interests, I would assess each recommendation separately:

a. *COCO*: I would likely accept this recommendation, as I have previously enjoyed animated films like *Zootopia* and *Frozen*.

b. *Avengers*: I would definitely accept this recommendation, as I love action movies and have given a high rating to *Fast & Furious 9*.

c. *La La Land*: Considering my preferences for animation, sci-fi, and action movies, *La La Land*, being a musical and romantic drama, may not align closely with my usual choices. Therefore, I might be hesitant to accept this recommendation.

d. *Interstellar*: Given my interest in sci-fi, I would also accept this recommendation, as it aligns with my preferences.

In summary, as Steve, I would accept these recommendations: *COCO*, *the Avengers*, and *Interstellar*. They cover a range of genres that I enjoy, including animation, action, and sci-fi, and my ranking as Steve would be *Avengers*  $\hat{c}$ , *Interstellar*  $\hat{c}$ , *COCO*.
"""
FIGURE_7_SLATE = ["COCO", "Avengers", "La La Land", "Interstellar"]

SLATE = [
    "Heat (1995)",
    "Big (1988)",
    "Ronin (1998)",
    "Not One Less (1999)",
    "I (2015)",
    "Seven (Se7en) (1995)",
    "Yes, Madam (1995)",
    "Oscar and Lucinda (a.k.a. Oscar & Lucinda) (1997)",
]
HEAT, BIG, RONIN, NOT_ONE_LESS, EYE, SEVEN, YES_MADAM, OSCAR = range(8)


def read(text: str, asked: Asked = ACCEPT, slate: list[str] = SLATE, finish_reason: str = "stop") -> Verdict:
    return parse(text, slate, finish_reason, asked)


def test_figure_7() -> None:
    verdict = read(FIGURE_7, BOTH, FIGURE_7_SLATE)
    assert verdict == Verdict(
        Status.PARTIAL, ranking=(1, 3, 0), accepted=(0, 1, 3), undecided=(2,), missing=(2,)
    )
    assert read(FIGURE_7, ACCEPT, FIGURE_7_SLATE).status is Status.OK


def test_item_by_item_without_a_closing_phrase() -> None:
    verdict = read(FIGURE_7.split("In summary", maxsplit=1)[0], ACCEPT, FIGURE_7_SLATE)
    assert verdict == Verdict(Status.OK, accepted=(0, 1, 3), undecided=(2,))


def test_item_by_item_remarks_are_no_ranking() -> None:
    verdict = read(FIGURE_7.split("In summary", maxsplit=1)[0], RANK, FIGURE_7_SLATE)
    assert verdict == Verdict(Status.UNPARSEABLE, missing=(0, 1, 2, 3))


def test_procedure_announced_with_a_colon_is_no_accept_list() -> None:
    text = "I will decide whether to accept or reject each recommendation:\n1. Heat: I would reject it.\n2. Big: I accept it."
    verdict = read(text)
    assert (verdict.accepted, verdict.rejected, verdict.status) == ((BIG,), (HEAT,), Status.PARTIAL)


@pytest.mark.parametrize("asked", [ACCEPT, RANK, BOTH])
def test_cut_off_is_no_decision_even_where_it_parses(asked: Asked) -> None:
    verdict = read(FIGURE_7, asked, FIGURE_7_SLATE, "length")
    assert verdict.status is Status.TRUNCATED
    assert verdict.ranking == verdict.accepted == verdict.rejected == verdict.undecided == ()


def test_cut_off_keeps_counts() -> None:
    verdict = read("My ranking as Ann would be Heat, Heat, Alien (1979), Bi", RANK, finish_reason="length")
    assert (verdict.duplicate, verdict.unknown[0], verdict.missing) == (1, "Alien (1979)", tuple(range(8)))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but as an AI language model I cannot pretend to be a user.",
        "I cannot assist with that.",
        "I apologize, but I am unable to simulate a real person named Steve.",
    ],
)
def test_refusals(text: str) -> None:
    assert read(text).status is Status.REFUSED


@pytest.mark.parametrize(
    "text",
    ["", "   \n", "OK.", "Sounds great!", "my ranking as Ann would be", "(╯°□°)╯", "Here is my ranking:"],
)
@pytest.mark.parametrize("asked", [ACCEPT, RANK, BOTH])
def test_nothing_to_read(text: str, asked: Asked) -> None:
    verdict = read(text, asked)
    assert verdict.status is Status.UNPARSEABLE
    assert verdict.ranking == verdict.accepted == verdict.rejected == verdict.undecided == ()


def test_apology_with_a_decision_is_no_refusal() -> None:
    verdict = read("I'm sorry to be picky. I would accept these recommendations: Heat.")
    assert (verdict.status, verdict.accepted) == (Status.OK, (HEAT,))


def test_asking_for_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one decision"):
        read("Heat", Asked(accept=False, rank=False))


@pytest.mark.parametrize(
    "text",
    [
        "I would accept these recommendations: Heat, Big, and Yes, Madam.",
        "I'd accept the following movies: Heat (1995), Big (1988) and Yes, Madam (1995). They are fun.",
        "**I would accept these recommendations:**\n\n- **Heat** - gripping\n- Big: a joy, better than Ronin was\n- Yes, Madam\n\nThanks!",
        "I would accept these recommendations:\n1. Heat\n2. BIG\n3. yes, madam",
        "I would accept Heat, Big and Yes, Madam.",
        "Accepted: Heat; Big; Yes, Madam\nRejected: Ronin; Seven",
        "### Accepted\n* Heat\n* Big\n* Yes, Madam\n\n### Rejected\n* Ronin\n* Se7en",
        "The movies I would accept are Heat, Big, and Yes, Madam.",
        "I would accept these recommendations: \"Heat\", “Big”, 'Yes, Madam'.",
        "I would accept these recommendations: Heat → Big → Yes, Madam",
        "I would not accept Ronin, and I would accept these recommendations: Heat, Big, Yes, Madam",
        (
            "I accept Seven in general.\nI would accept these recommendations: Ronin.\nOn reflection, "
            "I would accept these recommendations: Heat, Big, Yes, Madam."
        ),
        "<think>I would accept these recommendations: Ronin</think>I would accept these recommendations: Heat, Big, Yes, Madam",
        "maybe I would accept Ronin </think> I would accept these recommendations: Heat, Big, Yes, Madam",
        "```\nI would accept these recommendations: Heat, Big, Yes, Madam\n```",
        "I would accept these recommendations: Heat, Big, Yes, Madam, but not Ronin or Not One Less.",
    ],
)
def test_accept_lists(text: str) -> None:
    verdict = read(text)
    assert verdict.accepted == (HEAT, BIG, YES_MADAM)
    assert set(verdict.rejected) | set(verdict.undecided) == {RONIN, NOT_ONE_LESS, EYE, SEVEN, OSCAR}
    assert verdict.status in {Status.OK, Status.REPAIRED}
    assert verdict.unknown == ()


@pytest.mark.parametrize(
    "text",
    [
        "I would accept these recommendations: none of them.",
        "I would accept these recommendations: None",
        "I would not accept any of these recommendations.",
        "I would reject all of them. None fits my taste.",
        "None of these movies is one I would accept.",
    ],
)
def test_none_of_them_is_a_decision(text: str) -> None:
    assert read(text) == Verdict(Status.OK, rejected=tuple(range(8)))


@pytest.mark.parametrize(
    "text",
    [
        "I would not accept Heat.",
        "I wouldn't accept Heat.",
        "I don't think I would accept Heat.",
        "I would never accept Heat (1995).",
        "I cannot accept Heat.",
        "I would reject Heat.",
        "I would not accept these recommendations: Heat.",
        "I would decline Heat, because I dislike Pacino.",
        "Heat: I would not accept this recommendation.",
        "**Heat** - No.",
        "1. Heat: reject\n",
        "Heat does not align with my taste.",
    ],
)
def test_negated_is_rejected(text: str) -> None:
    verdict = read(text)
    assert (verdict.accepted, verdict.rejected) == ((), (HEAT,))


@pytest.mark.parametrize(
    "text",
    [
        "I might be hesitant to accept Heat.",
        "I might accept Heat.",
        "I am not sure whether I would accept Heat.",
        "Heat may not align closely with my usual choices.",
        "Heat: maybe",
        "Perhaps I would accept Heat.",
        "I would not reject Heat.",
        "I am reluctant to accept Heat.",
        "I would, if pressed, accept Heat.",
    ],
)
def test_hedged_is_undecided(text: str) -> None:
    verdict = read(f"{text}\n\nI would accept these recommendations: Big.")
    assert (verdict.accepted, verdict.undecided) == ((BIG,), (HEAT,))
    assert HEAT not in read(text).accepted + read(text).rejected


def test_hedge_and_remark_inside_the_list() -> None:
    verdict = read("I would accept these recommendations: Heat, and maybe Ronin.")
    assert (verdict.accepted, verdict.undecided) == ((HEAT,), (RONIN,))
    verdict = read("I would accept these recommendations:\n- Heat - yes\n- Big - no\n- Ronin - not sure")
    assert (verdict.accepted, verdict.undecided) == ((HEAT,), (RONIN,))


def test_all_of_them_is_a_decision_if_nothing_takes_it_back() -> None:
    assert read("I would accept all of these recommendations.") == Verdict(
        Status.OK, accepted=tuple(range(8))
    )
    for text in (
        "I would not accept all of them.",
        "I might accept all of them.",
        "I would accept all of them except Heat.",
    ):
        assert read(text).accepted == ()


def test_a_remark_on_others_is_not_on_the_last_of_the_list() -> None:
    text = "I would accept these recommendations: Heat, Ronin, as the others do not align with my taste."
    assert read(text).accepted == (HEAT, RONIN)
    text = "Overall, I'd be happy to accept Heat and Ronin. I'm not interested in Big."
    assert (read(text).accepted, BIG in read(text).rejected) == ((HEAT, RONIN), True)


def test_contradiction_after_the_list_is_undecided() -> None:
    verdict = read("I would accept these recommendations: Heat, Big. However, I would not accept Heat.")
    assert (verdict.accepted, verdict.undecided) == ((BIG,), (HEAT,))


@pytest.mark.parametrize(
    "text",
    [
        "my ranking as Ann would be Heat, Not One Less, I, Yes, Madam, Seven, Big, Oscar & Lucinda, Ronin.",
        "My ranking would be: Heat > Not One Less > I > Yes, Madam > Se7en > Big > Oscar and Lucinda > Ronin",
        "Ranking: Heat → Not One Less -> I => Yes Madam → Seven (Se7en) → Big → Oscar And Lucinda → Ronin",
        "**Final ranking:**\n\n1. **Heat**\n2. **Not One Less** – tender\n3. **I**\n4. Yes, Madam (1995)\n5. Seven: grim, like Heat\n6. Big\n7. Oscar and Lucinda\n8. Ronin\n",
        "I would rank them as follows:\n- Heat\n- Not One Less\n- I\n- Yes, Madam\n- Seven\n- Big\n- Oscar & Lucinda\n- Ronin",
        "my ranking as Ann would be 1. Heat 2. Not One Less 3. I 4. Yes, Madam 5. Seven 6. Big 7. Oscar & Lucinda 8. Ronin",
        "my ranking as Ann would be (1) Heat, (2) Not One Less, (3) I, (4) Yes, Madam, (5) Seven, (6) Big, (7) Oscar & Lucinda, (8) Ronin",
        (
            'Ranking:\n```json\n["Heat (1995)", "Not One Less (1999)", "I (2015)", "Yes, Madam (1995)", "Seven (Se7en) (1995)", "Big (1988)",'
            ' "Oscar and Lucinda (a.k.a. Oscar & Lucinda) (1997)", "Ronin (1998)"]\n```'
        ),
        (
            "Here is my ranking:\n\n| Rank | Title |\n|---|---|\n| 1 | Heat |\n| 2 | Not One Less |\n| 3 | I |\n| 4 | Yes, Madam |\n"
            "| 5 | Seven |\n| 6 | Big |\n| 7 | Oscar & Lucinda |\n| 8 | Ronin |\n"
        ),
        "Heat\nNot One Less\nI\nYes, Madam\nSeven\nBig\nOscar & Lucinda\nRonin",
        (
            "my ranking would be Big, Heat. Wait, no.\nmy ranking as Ann would be Heat \\hat{c} Not One Less $\\hat{c}$ , I $\\succ$ Yes, Madam ≻ Seven ≻ Big"
            " > Oscar & Lucinda > Ronin. My ranking would be different on another day."
        ),
        "My ranking as Ann would be, from best to worst:\nHeat\nNot One Less\nI\nYes, Madam\nSeven\nBig\nOscar & Lucinda\nRonin\n\nI hope Big helps!",
    ],
)
def test_rankings(text: str) -> None:
    verdict = read(text, RANK)
    expected = (HEAT, NOT_ONE_LESS, EYE, YES_MADAM, SEVEN, BIG, OSCAR, RONIN)
    assert verdict == Verdict(Status.OK, ranking=expected)


@pytest.mark.parametrize("first", ["accept", "rank"])
def test_either_order_of_the_two_parts(first: str) -> None:
    parts = ["I would accept these recommendations: Big, I", "my ranking as Ann would be Big, I, Heat"]
    text = " and ".join(parts if first == "accept" else reversed(parts))
    verdict = read(text, BOTH)
    assert (verdict.accepted, verdict.ranking) == ((BIG, EYE), (BIG, EYE, HEAT))


def test_a_part_not_asked_for_stays_empty() -> None:
    text = "I would accept these recommendations: Big. My ranking as Ann would be Heat, Big."
    assert read(text, ACCEPT).ranking == ()
    assert read(text, RANK).accepted == read(text, RANK).rejected == ()


def test_unknown_names_are_counted_never_replaced() -> None:
    verdict = read("my ranking as Ann would be Heat, Alien (1979), The Big Sleep, Big, Heat 2.", RANK)
    assert verdict.ranking == (HEAT, BIG)
    assert verdict.unknown == ("Alien (1979)", "The Big Sleep", "Heat 2")
    verdict = read("Ranking:\n1. Alien 3\n2. Heat\n3. Big Night", RANK)
    assert (verdict.ranking, verdict.unknown) == ((HEAT,), ("Alien 3", "Big Night"))


def test_foreign_names_only_are_no_decision() -> None:
    verdict = read("I would accept these recommendations: Alien (1979), Aliens (1986).")
    assert (verdict.status, verdict.unknown) == (Status.UNPARSEABLE, ("Alien (1979)", "Aliens (1986)"))


def test_repaired_after_dropping_names() -> None:
    slate = ["Heat (1995)", "Big (1988)"]
    verdict = read("my ranking would be Big, Alien, Heat, Big", RANK, slate)
    assert verdict == Verdict(Status.REPAIRED, ranking=(1, 0), duplicate=1, unknown=("Alien",))


def test_years_tell_namesakes_apart_and_a_bare_name_is_ambiguous() -> None:
    slate = ["Sabrina (1995)", "Heat (1995)", "Sabrina (1954)"]
    assert read("my ranking would be Sabrina (1954), Heat, Sabrina (1995)", RANK, slate).ranking == (2, 1, 0)
    verdict = read("my ranking would be Sabrina, Heat", RANK, slate)
    assert (verdict.ranking, verdict.ambiguous, verdict.status) == ((1,), ("Sabrina",), Status.PARTIAL)
    verdict = read("I would accept these recommendations: Sabrina, Heat", ACCEPT, slate)
    assert (verdict.accepted, verdict.undecided, verdict.status) == ((1,), (0, 2), Status.PARTIAL)
    assert read("my ranking would be Sabrina (1961), Heat", RANK, slate).ranking == (1,)


def test_titles_that_hold_words_of_the_grammar() -> None:
    slate = [
        "Reject (2001)",
        "Not (2002)",
        "I Would Accept (2003)",
        "My Ranking (2004)",
        "None (2005)",
        "Maybe, Maybe Not (1994)",
    ]
    order = (5, 3, 1, 0, 4, 2)
    names = ", ".join(slate[p] for p in order)
    assert read(f"my ranking as Ann would be {names}", RANK, slate).ranking == order
    assert read(f"I would accept these recommendations: {names}", ACCEPT, slate).accepted == order


def test_prose_in_reasons_is_not_listed() -> None:
    text = "I would accept these recommendations: Heat, because I liked Ronin, Big and tall heroes. It was a big heat."
    verdict = read(text)
    assert verdict.accepted == (HEAT,)


def test_a_plain_list_answers_what_was_asked() -> None:
    assert read("Heat, Big", RANK).ranking == (HEAT, BIG)
    assert read("Heat, Big", ACCEPT).accepted == (HEAT, BIG)
    assert read("I love Heat and Big, both are fine.", RANK).status is Status.UNPARSEABLE
