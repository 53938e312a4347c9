import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.persona import persona
from prompts import load_family
from recommender.data import load
from recommender.data.splitting import prepare
from recommender.features.economy.tables import read_table
from recommender.features.profile import ENHANCEMENTS, ProfileLabels

PROFILE = load_family("paper").template("template_1")
RECORD = {"gender": "F", "age": "25-34", "occupation": "lawyer", "zip": "94110", "state": "California"}
SAID_BY_SILENCE = {"unknown", "medium"}


def told(record, behaviours=(), interests=()):
    """The profile as the prompt tells it."""
    return PROFILE.render(persona("u1", record, dict(behaviours), interests, seed=0).values())


def names(gender, seed=0, users=60):
    return {persona(f"u{n}", {"gender": gender}, {}, [], seed).name for n in range(users)}


def test_a_name_fits_the_gender():
    women, men = names("F"), names("M")
    assert len(women) > 10
    assert len(men) > 10
    assert not women & men
    assert names(None) <= names(None, users=2000) <= names("F", users=2000) | names("M", users=2000)


def test_a_name_of_the_data_is_kept():
    assert persona("u1", {**RECORD, "name": "Zoraya"}, {}, [], seed=0).name == "Zoraya"


@given(st.text(min_size=1), st.integers(0, 2**63 - 1))
def test_a_drawn_name_depends_on_user_and_seed_alone(user, seed):
    first = persona(user, {"gender": "F"}, {}, [], seed)
    assert persona(user, {**RECORD, "age": "56+"}, {"activity": "low"}, ["Drama"], seed).name == first.name


def test_another_seed_draws_other_names():
    drawn = [persona("u1", {"gender": "M"}, {}, [], seed).name for seed in range(30)]
    assert len(set(drawn)) > 5


def test_everything_known_is_told():
    labels = {"economic_status": "high", "activity": "high", "leniency": "low"}
    text = told(RECORD, labels, ["Drama", "War", "Film-Noir"])
    assert "a female user called" in text
    assert (
        "(25-34, lives in the area of US ZIP code 94110 in California, and works/studies as lawyer). You have a "
        "comparatively high household income, are a frequent user and rate strictly, and love Drama, War and "
        "Film-Noir movies."
    ) in text


@pytest.mark.parametrize(
    ("field", "words"),
    [("gender", "female"), ("age", "25-34"), ("zip", "lives in"), ("occupation", "works/studies")],
)
@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_a_missing_field_leaves_its_clause_out(field, words, value):
    assert words in told(RECORD)
    gone = {"zip", "state"} if field == "zip" else {field}
    text = told(RECORD | dict.fromkeys(gone, value))
    assert words not in text
    assert not any(sign in text for sign in ("None", "nan", "  ", "(,", ", )", "( "))


def test_nothing_known_says_nothing_but_a_name():
    assert told({}) == f"You are going to simulate a user called {persona('u1', {}, {}, [], 0).name}."


def test_a_code_in_no_known_state_is_not_called_american():
    text = told({"zip": "V6B 1A1", "state": None})
    assert "lives in the area of postal code V6B 1A1" in text
    assert "US" not in text
    assert "lives in Maine" in told({"state": "Maine"})


def test_the_persona_tells_every_label_that_the_recommender_is_fed():
    split = prepare(load("embedded"))
    fields = ProfileLabels(split.dataset, split.train).fields
    assert {field.name for field in fields} == {"gender", "occupation", "age", "region", *ENHANCEMENTS}
    for field in fields:
        if field.name == "region":  # told by the state that it is made of
            ways = [{"state": row["name"]} for row in read_table("states.csv")]
            texts = [told(record) for record in ways]
        elif field.name in ENHANCEMENTS:
            texts = [told({}, {field.name: label}) for label in field.labels if label not in SAID_BY_SILENCE]
        else:
            texts = [told({field.name: label}) for label in field.labels if label != "unknown"]
        assert len(texts) >= 2, field.name
        assert len({*texts, told({})}) == len(texts) + 1, field.name


@pytest.mark.parametrize("field", ENHANCEMENTS)
@pytest.mark.parametrize("label", sorted(SAID_BY_SILENCE))
def test_a_label_in_the_middle_or_unknown_is_not_told(field, label):
    assert persona("u1", RECORD, {field: label}, [], 0).behaviour is None
