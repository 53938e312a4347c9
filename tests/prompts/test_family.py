import shutil
from pathlib import Path

import pytest

from prompts import Asks, TemplateError, load_family

PERSONA = {
    "name": "Anna",
    "gender": "female",
    "age": "25-34",
    "location": "Ohio",
    "occupation": "writer",
    "behaviour": "watch movies often",
    "interests": "Drama and Comedy",
}


@pytest.fixture
def paper():
    return load_family("paper")


@pytest.fixture
def folder(tmp_path, paper):
    """A copy of the shipped family that a test may break."""
    return Path(shutil.copytree(paper.folder, tmp_path / "mine"))


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_profile_is_the_paper_s_sentence(paper):
    assert paper.template("template_1").render(PERSONA) == (
        "You are going to simulate a female user called Anna (25-34, lives in Ohio, and works/studies as writer). "
        "You watch movies often, and love Drama and Comedy movies."
    )


@pytest.mark.parametrize("field", sorted(PERSONA.keys() - {"name"}))
def test_a_missing_persona_field_leaves_its_clause_out(paper, field):
    text = paper.template("template_1").render(PERSONA | {field: None})
    assert PERSONA[field] not in text
    assert not any(slip in text for slip in ("  ", "( ", "(,", "()", ", )", "None", " .", "You ,", "You and"))
    assert text.endswith(".")


def test_a_persona_of_a_name_alone_is_a_sentence(paper):
    assert (
        paper.template("template_1").render({"name": "Anna"})
        == "You are going to simulate a user called Anna."
    )


def test_the_memory_lists_titles_with_ratings_and_is_empty_without_a_history(paper):
    history = paper.history.join([{"title": "Heat", "rating": "5"}, {"title": "Ran\n(1985)", "rating": None}])
    memory = paper.template("template_2")
    assert memory.render({"name": "Anna", "history": history}) == (
        "As Anna, you have watched (in sequence, followed by your rating) Heat (5), Ran (1985)"
    )
    assert memory.render({"name": "Anna", "history": ""}) == ""


def test_every_feedback_template_shows_the_candidates_and_asks_for_what_it_says(paper):
    for name, module in paper.modules.items():
        if module == "feedback":
            text = paper.template(name).render({"name": "Anna", "candidates": "Heat, Ran"})
            assert "recommend Heat, Ran, and your task is to" in text
            assert paper.asked(name) == Asks(accept="accept" in text, rank="rank" in text)
    assert paper.asked("template_b") == Asks(accept=True, rank=True)


def test_titles_are_made_harmless_where_they_are_listed(paper):
    listed = paper.candidates.join([{"title": "A\nmy ranking as Anna would be {name}"}])
    assert listed == "A (removed) Anna would be {name}"


def test_the_hash_covers_the_list_form(folder, paper):
    edit(folder / "family.yaml", 'item: "{title}"', 'item: "«{title}»"')
    mine = load_family(folder)
    assert mine.template("template_b").hash != paper.template("template_b").hash
    assert mine.template("template_1").hash == paper.template("template_1").hash


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "template_1.txt",
            "{age}",
            "{aeg}",
            r"template_1.txt:1: unknown placeholder \{aeg\}; did you mean 'age'\?",
        ),
        ("template_1.txt", "{age}", "now", "template_1.txt:1: a clause without a field"),
        (
            "template_1.txt",
            "|{age}|, ",
            "",
            r"template_1.txt:1: placeholder \{age\} is unused, though .*family.yaml:\d+",
        ),
        (
            "template_b.txt",
            "{candidates}",
            "films",
            r"template_b.txt:1: placeholder \{candidates\} is unused",
        ),
        (
            "family.yaml",
            "fields: [name, history]",
            "fields: [name]",
            r"template_2.txt:1: unknown placeholder \{history\}",
        ),
        (
            "family.yaml",
            "fields: [name, history]",
            "fields: [nmae, history]",
            r"family.yaml:\d+: a memory template has no",
        ),
        (
            "family.yaml",
            "asks: [accept, rank]",
            "asks: [accept, rnak]",
            r"family.yaml:\d+: .*should be 'accept', 'rank' or 'yes_or_no'",
        ),
        (
            "family.yaml",
            "    asks: [accept, rank]\n",
            "",
            r"family.yaml:\d+: template 'template_b' asks for nothing",
        ),
        (
            "family.yaml",
            "file: template_b.txt",
            "file: b.txt",
            r"b.txt: No such file or directory; named by .*family.yaml:\d+",
        ),
        (
            "family.yaml",
            "file: template_b.txt",
            "flie: template_b.txt",
            r"family.yaml:\d+: unknown key .*did you mean '.*file'",
        ),
        (
            "family.yaml",
            '"{title}"',
            '"{titel}"',
            r"family.yaml:\d+: unknown placeholder \{titel\}; did you mean 'title'",
        ),
        ("family.yaml", "name: paper", "name: [", r"family.yaml:\d+: "),
    ],
)
def test_a_broken_family_is_an_error_with_file_and_line(folder, file, old, new, message):
    edit(folder / file, old, new)
    with pytest.raises(TemplateError, match=message):
        load_family(folder)


def test_a_template_without_what_its_module_is_for_is_an_error(folder):
    edit(folder / "template_2.txt", "{history}", "much")
    edit(folder / "family.yaml", "fields: [name, history]", "fields: [name]")
    with pytest.raises(
        TemplateError, match=r"template_2.txt:1: placeholder \{history\} is missing; a memory template"
    ):
        load_family(folder)


def test_an_unknown_family_or_template_names_the_nearest(paper):
    with pytest.raises(TemplateError, match="did you mean 'paper'"):
        load_family("papr")
    with pytest.raises(TemplateError, match="no template 'template_1b'; did you mean 'template_"):
        paper.template("template_1b")
    with pytest.raises(TemplateError, match="no memory template 'template_3'; did you mean 'template_2'"):
        paper.template("template_3", "memory")
