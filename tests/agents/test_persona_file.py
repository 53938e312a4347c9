import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.persona import persona
from agents.persona_file import PersonaError, read_personas
from prompts import load_family

PROFILE = load_family("paper").template("template_1", "profile")
WHOLE = (
    "\ufeffuser_id,name,gender,age,location,occupation,behaviour,interests,economic_status,novelty_acceptance\r\n"
    '42,Ann,female,30,"Ghent, Belgium",baker,read reviews first,Horror and Comedy,low,high\r\n'
    "\r\n"
    "7,,,,,,,,,\r\n"
    '8,,male,,,"sets\nstages",,,medium,\r\n'
)


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "personas.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_cells_are_told_and_an_empty_one_leaves_its_clause_out(written):
    file = read_personas(written(WHOLE))
    assert file.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert {user: row.line for user, row in file.rows.items()} == {"42": 2, "7": 4, "8": 5}
    assert PROFILE.render(file.persona("42", 0).values()) == (
        "You are going to simulate a female user called Ann (30, lives in Ghent, Belgium, and works/studies as baker). You read "
        "reviews first, have a comparatively low household income and are quick to try new titles, and love Horror and Comedy "
        "movies."
    )
    bare = file.persona("7", 0)
    assert bare == persona("7", {}, {}, [], 0), "a name is drawn as for a user of whom the data know nothing"
    assert PROFILE.render(bare.values()) == f"You are going to simulate a user called {bare.name}."
    eight = file.persona("8", 0)
    assert (eight.occupation, eight.behaviour) == ("sets stages", None)
    assert eight.name == persona("8", {"gender": "M"}, {}, [], 0).name


@given(st.dictionaries(st.sampled_from(["age", "location", "occupation", "interests"]), st.text(max_size=20)))
def test_no_cell_breaks_out_of_its_clause(tmp_path_factory, cells):
    import csv

    path = tmp_path_factory.mktemp("csv") / "p.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.DictWriter(file, ["user_id", *cells])
        writer.writeheader()
        writer.writerow({"user_id": "1", **cells})
    told = PROFILE.render(read_personas(path).persona("1", 0).values())
    assert len(told.splitlines()) == 1
    assert "would be" not in told or "my ranking" not in told.lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "personas.csv:1: no header; its columns are user_id, name"),
        ("user_id,nmae\n1,Ann\n", "personas.csv:1: unknown column 'nmae'; known are user_id, name"),
        ("user_id,age,age\n1,2,3\n", "personas.csv:1: column 'age' is there twice"),
        ("name,age\nAnn,3\n", "personas.csv:1: no column 'user_id'"),
        ("user_id,age\n1,30\n,31\n", "personas.csv:3: no user_id"),
        ("user_id,age\n1,30\n2,3,1\n", "personas.csv:3: 3 cells under 2 columns"),
        ('user_id,age\n1,"3\n0"\n2,31\n1,32\n', "personas.csv:5: user '1' has a row in line 2 already"),
        (
            "user_id,economic_status\n1,rich\n",
            "personas.csv:2: economic_status is 'rich'; it should be low, medium",
        ),
        (b"user_id,name\n1,Ann\n2,Andr\xe9\n", "personas.csv:3: not UTF-8 text"),
        ('user_id,name\n1,"Ann\n', "personas.csv:2: not a row of a CSV file"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(written, text, expected):
    with pytest.raises(PersonaError, match=re.escape(expected)):
        read_personas(written(text))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PersonaError, match=re.escape("none.csv: cannot read the personas (No such file")):
        read_personas(tmp_path / "none.csv")
