from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turns_made import turn

from simulator.transcript.turns import TranscriptError, Turn, TurnWriter, read_turns

ARCHITECTURE = (
    "arm replicate round user_id slate scores shown status ranking accepted rejected undecided missing duplicate unknown "
    "ambiguous final templates request"
).split()
"""Fields that the design names."""

anything = st.text(st.characters(codec=None), max_size=8)


def test_the_fields_of_the_design_are_there():
    assert set(ARCHITECTURE) <= {field.name for field in fields(Turn)}


@given(
    st.lists(
        st.builds(
            lambda names, error, user: turn(unknown_names=tuple(names), error=error, user_id=user),
            st.lists(anything, max_size=3),
            anything,
            anything,
        ),
        max_size=4,
    )
)
def test_turns_come_back_as_written(tmp_path_factory, turns):
    """Replies name things with line separators and lone surrogates too."""
    path = tmp_path_factory.mktemp("turns") / "turns.jsonl"
    with TurnWriter(path) as writer:
        writer.write(turns[:1])
        writer.write(turns[1:])
    assert list(read_turns(path)) == turns
    assert len(path.read_bytes().splitlines()) == len(turns)


def test_equal_turns_are_equal_bytes():
    assert turn().line() == turn().line()
    assert turn().line().endswith("}\n")


@pytest.mark.parametrize(
    "damage",
    [b"{", b"[]", b"7", b'{"arm": "x"}', b'{"odd": 1}', b"\xff\xfe", turn().line().encode()[:-40]],
)
def test_a_damaged_line_is_named(tmp_path, damage):
    path = tmp_path / "turns.jsonl"
    path.write_bytes(turn().line().encode() + damage + b"\n")
    with pytest.raises(TranscriptError, match=r"turns\.jsonl:2: not a turn"):
        list(read_turns(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TranscriptError, match=r"turns\.jsonl: No such file"):
        list(read_turns(tmp_path / "turns.jsonl"))
