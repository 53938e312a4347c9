"""Replies by number and as JSON: what is named is what is meant, what contradicts itself is never resolved in silence."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reply import Asked, Status, parse

SHOWN = (
    "Heat (1995)",
    "Alien (1979)",
    "Game, The (1997)",
    "Heat (1986)",
    "10 Things I Hate About You (1999)",
)
IDS, JSON = Asked(True, True, "ids"), Asked(True, True, "json")
ORDER = (2, 0, 1, 3, 4)


def ids(text, reason="stop", asked=IDS):
    return parse(text, SHOWN, reason, asked)


@pytest.mark.parametrize(
    ("accepting", "ranking"),
    [
        ("[3], [1]", "[3], [1], [2], [4], [5]"),
        ("3, 1", "3, 1, 2, 4, 5"),
        ("3 and 1.", "3 > 1 > 2 > 4 > 5."),
        ("[3, 1]", "[3, 1, 2, 4, 5]"),
        ("[3] The Game, [1] Heat (1995)", "\n1. [3] The Game (1997)\n2. [1]\n3. [2] Alien\n4. [4]\n5. [5]"),
        ("The Game (1997), [1]", "**[3]**, **[1]**, [2], Heat (1986) [4], [5]"),
        ("#3, #1", "#3, #1, #2, #4, #5"),
    ],
)
def test_ways_of_naming_by_number(accepting, ranking):
    found = ids(f"I would accept these recommendations: {accepting}\nmy ranking as Ann would be {ranking}")
    assert (found.status, found.ranking, found.accepted) == (Status.OK, ORDER, (2, 0)), found
    assert found.rejected == (1, 3, 4)


def test_thoughts_name_nothing():
    found = ids(
        "<think>[2] is best, I would accept [2]</think>I would accept these recommendations: [1]\n"
        "my ranking as Ann would be [1], [3], [2], [4], [5]"
    )
    assert (found.accepted, found.ranking) == ((0,), (0, 2, 1, 3, 4))


def test_a_negated_number_is_rejected():
    found = ids(
        "I would not accept [2]. I would accept [1].\nmy ranking as Ann would be [1], [2], [3], [4], [5]"
    )
    assert found.accepted == (0,)
    assert 1 in found.rejected


def test_a_number_that_no_candidate_has_is_unknown_and_one_given_twice_counts_once():
    found = ids(
        "I would accept these recommendations: [1]\nmy ranking as Ann would be [1], [99], [2], [2], [0]"
    )
    assert found.ranking == (0, 1)
    assert found.unknown == ("[99]", "[0]")
    assert (found.duplicate, found.missing, found.status) == (1, (2, 3, 4), Status.PARTIAL)


def test_a_number_beside_another_title_is_ambiguous_and_neither_is_chosen():
    found = ids(
        "I would accept these recommendations: [1] Alien (1979)\nmy ranking as Ann would be [1], [2], [3], [4], [5]"
    )
    assert found.accepted == ()
    assert found.ambiguous == ("[1] Alien (1979)",)


def test_a_title_that_two_candidates_have_is_ambiguous_and_its_number_is_not():
    assert ids("I would accept these recommendations: Heat\nmy ranking as Ann would be [3]").accepted == ()
    assert ids("I would accept these recommendations: [4] Heat\nmy ranking as Ann would be [3]").accepted == (
        3,
    )


@pytest.mark.parametrize("asked", [IDS, JSON])
@pytest.mark.parametrize(
    ("text", "reason", "status"),
    [
        ("", "stop", Status.UNPARSEABLE),
        ("1 2 3 of the 20", "stop", Status.UNPARSEABLE),
        ("I am sorry, I cannot help with that", "stop", Status.REFUSED),
        ('{"accept": [1], "ranking": [1, 2', "length", Status.TRUNCATED),
        ("I would accept these recommendations: [1], [", "length", Status.TRUNCATED),
    ],
)
def test_what_cannot_be_read_decides_nothing(asked, text, reason, status):
    found = parse(text, SHOWN, reason, asked)
    assert found.status == status
    assert (found.ranking, found.accepted, found.rejected) == ((), (), ())
    assert found.missing == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("value", "status", "accepted", "ranking"),
    [
        ({"accept": [3, 1], "ranking": [3, 1, 2, 4, 5]}, Status.OK, (2, 0), ORDER),
        ({"accept": [], "ranking": [3, 1, 2, 4, 5]}, Status.OK, (), ORDER),
        ({"accept": ["3", "[1]"], "ranking": [3, 1, 2, 4, 5], "why": "x"}, Status.OK, (2, 0), ORDER),
        ({"accept": [3, 3], "ranking": [3, 1, 2, 4, 5]}, Status.REPAIRED, (2,), ORDER),
        ({"accept": [9], "ranking": [3, 1, 2, 4, 5]}, Status.REPAIRED, (), ORDER),
        ({"accept": [True], "ranking": [3, 1.5, 1, 2, 4, 5]}, Status.REPAIRED, (), ORDER),
        ({"accept": [1], "ranking": [3]}, Status.PARTIAL, (0,), (2,)),
        ({"ranking": [3, 1, 2, 4, 5]}, Status.PARTIAL, (), ORDER),
        ({"accept": "1"}, Status.UNPARSEABLE, (), ()),
        ({"other": 1}, Status.UNPARSEABLE, (), ()),
    ],
)
def test_json_objects(value, status, accepted, ranking):
    for text in (json.dumps(value), f"Sure!\n```json\n{json.dumps(value, indent=1)}\n```\nEnjoy {{}}"):
        found = parse(text, SHOWN, "stop", JSON)
        assert (found.status, found.accepted, found.ranking) == (status, accepted, ranking)


def test_an_object_with_one_key_twice_is_two_answers_and_so_none():
    assert (
        parse('{"accept": [1], "accept": [2], "ranking": [1,2,3,4,5]}', SHOWN, "stop", JSON).status
        == "unparseable"
    )


FULL = '"accept": [1], "ranking": [1, 2, 3, 4, 5]'


@pytest.mark.parametrize(
    "text",
    [
        '{FULL, "why": {"accept": [2]}}',
        '{"draft": {"accept": [2]}, FULL}',
        '{FULL, "reasons": [' + ", ".join(['{"number": 1}'] * 200) + "]}",
        '{"answer": {FULL}}',
        "{{FULL}}",
        'Thinking of {"accept": [2], "ranking": [2,,]} again: {FULL}',
        "A {smile} first: {FULL}",
        '{FULL, "why": "a brace } and a \\" in a text {"}',
    ],
)
def test_the_outermost_object_is_the_answer(text):
    found = parse(text.replace("FULL", FULL), SHOWN, "stop", JSON)
    assert (found.status, found.accepted, found.ranking) == (Status.OK, (0,), (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    "text",
    [
        '{FULL, "why": {"accept": [2]}',
        '{"draft": {"accept": [2]}, "accept": [1], "ranking": [1, 2',
        '{accept: [1], why: {"accept": [2], "ranking": [2, 1, 3, 4, 5]}}',
        '{"draft": {FULL}, "final": {"accept": [2]}}',
        '{"accept": [1' + '{"a": ' * 20_000,
    ],
)
def test_of_an_object_that_cannot_be_read_no_part_is_an_answer(text):
    found = parse(text.replace("FULL", FULL), SHOWN, "stop", JSON)
    assert (found.status, found.accepted, found.ranking) == (Status.UNPARSEABLE, (), ())


def test_what_a_model_thinks_first_is_not_its_answer():
    text = '{"accept": [1], "ranking": [1, 2, 3, 4, 5]} no: {"accept": [2], "ranking": [2, 1, 3, 4, 5]}'
    assert parse(text, SHOWN, "stop", JSON).accepted == (1,)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "[1]",
                "[2]",
                "[77]",
                "3",
                "#4",
                "Heat",
                "Alien (1979)",
                "I would accept these recommendations: ",
                "\n",
                ", ",
                "not ",
                "my ranking as Ann would be ",
                '{"accept":',
                "[",
                "]",
                "}",
                '"ranking": [1, 2]',
                "<think>",
                "</think>",
                "```",
            ]
        ),
        st.text(max_size=6),
    ),
    max_size=14,
)


@given(
    PIECES,
    st.sampled_from(["stop", "length"]),
    st.sampled_from([IDS, JSON, Asked(True, False, "ids"), Asked(False, True, "json")]),
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_without_an_exception_and_consistently(pieces, reason, asked):
    found = parse("".join(pieces), SHOWN, reason, asked)
    named = [*found.accepted, *found.rejected, *found.undecided]
    assert len(set(named)) == len(named)
    assert len(set(found.ranking)) == len(found.ranking)
    assert {*named, *found.ranking} <= set(range(len(SHOWN)))
    assert not (found.accepted and not asked.accept)
    assert not (found.ranking and not asked.rank)
    if asked.rank:
        assert {*found.ranking} | {*found.missing} == set(range(len(SHOWN))) or found.status not in {
            "ok",
            "repaired",
            "partial",
        }
    if found.status == Status.OK:
        assert (found.duplicate, found.unknown, found.ambiguous) == (0, (), ())
