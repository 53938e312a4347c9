import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.transcript.proposals import Proposal, append_proposals, read_proposals
from simulator.transcript.turns import TranscriptError

names = st.text(st.characters(codec=None), max_size=5)
scores = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)


def proposal(user="u1", **fields):
    return Proposal(
        **{
            "data": "made (synthetic)",
            "arm": "history-5",
            "phase": "test",
            "replicate": 0,
            "round": 1,
            "user_id": user,
            "items": ("b", "a"),
            "scores": (0.1, -2.5),
            **fields,
        }
    )


@given(st.lists(st.tuples(names, names, scores), max_size=4, unique_by=lambda row: row[0]))
def test_proposals_come_back_as_written_whatever_is_in_them(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("run") / "proposals.jsonl"
    given_ = [
        proposal(user, items=(item,) * len(values), scores=tuple(values)) for user, item, values in rows
    ]
    append_proposals(path, given_[:1])
    append_proposals(path, given_[1:])
    assert list(read_proposals(path).values()) == given_


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"b", "a"', '"a", "b"'),
        ("-2.5", "2.5"),
        ('"u2"', '"u3"'),
        ("made (synthetic)", "real"),
        ('{"arm"', '{"more": 1, "arm"'),
        ("}", ""),
    ],
)
def test_a_changed_line_is_damage_and_named(tmp_path, old, new):
    path = tmp_path / "proposals.jsonl"
    append_proposals(path, [proposal(), proposal("u2"), proposal("u4")])
    lines = path.read_text().splitlines()
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(TranscriptError, match=r"proposals\.jsonl:2: not a proposal as it was written"):
        read_proposals(path)


@pytest.mark.parametrize("line", [b"\xff", b"7", b"[]", b"null", b"{}"])
def test_what_is_no_proposal_is_named(tmp_path, line):
    path = tmp_path / "proposals.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(TranscriptError, match=r"proposals\.jsonl:1: not a proposal"):
        read_proposals(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        TranscriptError, match=r"proposals\.jsonl: No such file or directory; a replay needs it"
    ):
        read_proposals(tmp_path / "proposals.jsonl")
