"""The words of a domain come from the data, and movies keep the paper's own."""

import pytest

from prompts import TemplateError, domain, load_family

PAPER = {
    "template_1": "You are going to simulate a[[ {gender}]] user called {name}[[ (|{age}|, |lives in {location}|, and |works/studies as "
    "{occupation}|)]].[[ You |{behaviour}|, and |love {interests} movies|.]]",
    "template_2": "[[As {name}, you have watched (in sequence, followed by your rating) {history}]]",
}


HASHES = {  # as before words came from the domain: finished runs of movies tell of the same templates
    "system": "f83823d4dcd0",
    "template_1": "8895bb5e00d2",
    "template_2": "7b895c9a1cea",
    "template_3": "3d9e9720bbd8",
    "template_4": "9970a721d838",
    "template_a": "f804d00a03b3",
    "template_b": "f0783087e15f",
}


def test_of_movies_the_papers_templates_have_the_hashes_that_they_had():
    assert {name: each.hash[:12] for name, each in load_family("paper").templates.items()} == HASHES


def test_of_movies_the_papers_templates_are_word_for_word():
    family = load_family("paper")
    for name, text in PAPER.items():
        assert family.template(name).text == text


@pytest.mark.parametrize(
    ("name", "kind", "did"),
    [("books", "books", "read"), ("products", "products", "bought"), ("fashion", "clothes", "bought")],
)
def test_other_items_are_called_what_they_are(name, kind, did):
    family = load_family("paper", domain(name))
    told = family.template("template_1").render({"name": "Ann", "interests": "Gothic"})
    assert told.endswith(f"You love Gothic {kind}.")
    memory = family.template("template_2").render({"name": "Ann", "history": "X (4)"})
    assert memory == f"As Ann, you have {did} (in sequence, followed by your rating) X (4)"
    assert family.template("template_1").hash != load_family("paper").template("template_1").hash


def test_of_data_without_ratings_none_are_promised():
    memory = load_family("paper", domain("products", rated=False)).template("template_2")
    assert memory.render({"name": "Ann", "history": "X"}) == "As Ann, you have bought (in sequence) X"


def test_an_unknown_domain_names_the_nearest():
    with pytest.raises(
        TemplateError, match=r"no domain 'movie'; did you mean 'movies'\?; there are movies, books"
    ):
        domain("movie")


@pytest.mark.parametrize("family", ["paper", "variants", "numbered", "json", "title_blind", "pointwise"])
@pytest.mark.parametrize("name", ["books", "products", "fashion"])
def test_no_shipped_template_says_movies_of_other_items(family, name):
    for template in load_family(family, domain(name)).templates.values():
        assert not {"movie", "film", "watched"} & {
            word.strip("s,.").lower() for word in template.text.split()
        }, template.source
