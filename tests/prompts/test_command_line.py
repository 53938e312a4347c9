"""python -m prompts as its users run it."""

import difflib
import re

import pytest

from prompts import load_family
from prompts.__main__ import main
from prompts.comparing import differences, parts_of

FACTORS = {
    "a_item_by_item": "template_a",
    "a_notice": "template_a",
    "a_phrase": "template_a",
    "a_ranking": "template_a",
    "b_without_item_by_item": "template_b",
    "b_without_notice": "template_b",
    "b_without_phrase": "template_b",
    "b_without_ranking": "template_b",
}
WORDS = {
    "item_by_item": "item by item",
    "notice": "do not echo",
    "phrase": "I would accept these recommendations",
    "ranking": "my ranking as",
}


def test_all_that_is_shipped_is_in_order(capsys):
    assert main(["lint"]) == 0
    told = capsys.readouterr().out
    for family in ("defended", "json", "numbered", "paper", "pointwise", "title_blind", "variants"):
        assert f"{family}: " in told
    assert "template_b: feedback" in told
    assert "asks to accept and rank, by ids" in told


def test_a_broken_family_is_told_with_file_and_line_and_the_others_are_checked(tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "family.yaml").write_text(
        "name: mine\nsource: me\nhistory: {item: '{title}', separator: ', '}\n"
    )
    assert main(["lint", str(folder), "paper"]) == 2
    told = capsys.readouterr()
    assert re.search(r"family.yaml:\d+: ", told.err)
    assert "paper: 7 templates" in told.out
    assert main(["lint", "papr"]) == 2
    assert "did you mean 'paper'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("family", "edit", "message"),
    [
        (
            "numbered",
            ("[{number}] ", ""),
            r"form ids names candidates by number, and .*family.yaml:\d+ gives them none",
        ),
        ("numbered", ("[{number}]", "{number}."), r"write \[\{number\}\], in square brackets"),
        ("title_blind", ('"{text}[[', '"{title}[['), "would give the titles away"),
        ("title_blind", ("    form: ids\n", ""), "without titles a reply has to name candidates by number"),
        ("numbered", ("form: ids", "form: idz"), r"family.yaml:\d+"),
        (
            "numbered",
            ('{title}"\n  separator: "\\n"', '{title} {text}"\n  separator: "\\n"'),
            "are both there",
        ),
    ],
)
def test_a_form_that_does_not_fit_is_an_error_with_file_and_line(tmp_path, capsys, family, edit, message):
    source = load_family(family).folder
    text = (source / "family.yaml").read_text()
    assert edit[0] in text
    (tmp_path / "family.yaml").write_text(text.replace("../", f"{source.parent}/").replace(*edit))
    for file in source.glob("*.txt"):
        (tmp_path / file.name).write_text(file.read_text())
    assert main(["lint", str(tmp_path)]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("variant", FACTORS)
def test_a_variant_differs_from_its_base_in_its_one_factor(variant):
    family = load_family("variants")
    base, text = family.template(FACTORS[variant]).text, family.template(variant).text
    changes = [
        op
        for op in difflib.SequenceMatcher(None, base.split(), text.split(), autojunk=False).get_opcodes()
        if op[0] != "equal"
    ]
    factor = next(name for name in WORDS if variant.endswith(name))
    for name, words in WORDS.items():
        assert ((words in base) != (words in text)) is (name == factor), name
    assert len(changes) <= 4, "words around the factor at most"
    only_feedback = list(
        differences(parts_of(f"variants:{FACTORS[variant]}"), parts_of(f"variants:{variant}"))
    )
    assert {line.split(":")[0] for line in only_feedback if not line.startswith(" ")} == {"feedback"}


def test_between_a_and_b_lie_four_factors():
    family = load_family("variants")
    a, b = family.template("template_a").text, family.template("template_b").text
    assert [name for name, words in WORDS.items() if words in b and words not in a] == list(WORDS)
    paper = load_family("paper")
    assert (paper.template("template_a").hash, paper.template("template_b").hash) == (
        family.template("template_a").hash,
        family.template("template_b").hash,
    )


def test_diff_says_what_differs_or_that_nothing_does(capsys):
    assert main(["diff", "paper:template_a", "paper:template_b"]) == 1
    told = capsys.readouterr().out
    assert "feedback: " in told
    assert "+Please be notified that the recommender might make mistakes" in told
    assert "template_1" not in told
    assert main(["diff", "paper:template_b", "variants:template_b"]) == 0
    assert "nothing differs" in capsys.readouterr().out
    assert main(["diff", "paper", "nowhere"]) == 2
    assert "no prompt family 'nowhere'" in capsys.readouterr().err


def test_diff_says_where_one_text_is_read_in_two_ways(tmp_path, capsys):
    source = load_family("numbered").folder
    text = (source / "family.yaml").read_text()
    (tmp_path / "family.yaml").write_text(
        text.replace("../", f"{source.parent}/").replace("form: ids", "form: json")
    )
    (tmp_path / "template_b.txt").write_text((source / "template_b.txt").read_text())
    assert main(["diff", "numbered:template_b", f"{tmp_path}:template_b"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  asks: accept, rank by ids and accept, rank by json"
    ]


def test_show_is_the_prompt_as_it_would_be_sent(capsys):
    assert main(["show", "template a", "--user", "42"]) == 0
    told = capsys.readouterr().out
    assert "; candidates: the most popular items that the user has not had" in told
    assert "tokens (approximate" in told
    assert "[system]\nYou will now act as an agent" in told
    assert "you have watched (in sequence, followed by your rating)" in told
    assert "Now the recommender wants to recommend" in told
    assert main(["show", "numbered", "--user", "42", "--set", "data.domain=books"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n[{number}] " in told for number in (1, 40))
    assert "you have read (in sequence" in told


def test_show_without_titles_names_none_of_them(capsys):
    from recommender import data

    assert main(["show", "title_blind", "--user", "42"]) == 0
    told = capsys.readouterr().out
    named = [title for title in data.load("embedded").items["title"] if title.rsplit(" (", 1)[0] in told]
    assert named == []
    assert "\n[40] " in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["template c", "--user", "42"],
            "'template c' is no arm of the scenario (they are template b, template a)",
        ),
        (["paper:template_9", "--user", "42"], "no feedback template 'template_9'"),
        (["paper", "--user", "nobody"], "has no user 'nobody'"),
        (["paper", "--user", "42", "--set", "users.cuont=3"], "did you mean"),
    ],
)
def test_show_says_what_is_wrong(arguments, message, capsys):
    assert main(["show", *arguments]) == 2
    assert message in capsys.readouterr().err
