"""What a study compares, and the mistakes that are told before anything is read."""

from pathlib import Path

import pytest

from recommender import train
from recommender.study.__main__ import main
from recommender.study.arms import expand
from scenarios.document import parse

BASE = """\
name: mine
data: {source: embedded, max_users: 60}
recommender: {model: uim}
"""
SHIPPED = {"ablation": 15, "interests": 6, "history_length": 6, "cold_start_recommender": 7}


def arms_of(text):
    return expand(parse(BASE + text, "mine.yaml"))[1]


def test_a_sweep_has_an_arm_for_each_value():
    arms = arms_of("sweep: {recommender.params.interests: [1, 2, 5]}")
    assert [arm.name for arm in arms] == ["interests=1", "interests=2", "interests=5"]
    assert [arm.setup.recommender.params for arm in arms] == [{"interests": n} for n in (1, 2, 5)]


def test_a_sweep_of_several_keys_is_their_product():
    arms = arms_of(
        "sweep: {recommender.params.interests: [1, 2], recommender.training.learning_rate: [0.1, 0.01, 0.001]}"
    )
    assert len(arms) == len({arm.slug for arm in arms}) == 6
    assert arms[4].name == "interests=2, learning_rate=0.01"
    assert arms[4].setup.recommender.params == {"interests": 2}
    assert arms[4].setup.recommender.training.learning_rate == 0.01


def test_keys_of_one_last_word_are_told_apart():
    arms = arms_of("sweep: {features.text: [tfidf, none], recommender.params.text: [true]}")
    assert arms[1].name == "features.text=none, recommender.params.text=true"


def test_an_arm_changes_what_it_names_and_nothing_else():
    first, second = arms_of(
        "arms: {plain: {}, changed: {recommender.params.dim: 8, features.text: none, data.core: 0}}"
    )
    assert first.setup.recommender.params == {}
    assert (second.setup.recommender.params, second.setup.features.text, second.setup.data.core) == (
        {"dim": 8},
        "none",
        0,
    )
    assert second.setup.recommender.training == first.setup.recommender.training
    assert second.setup.model_extra == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_studies_are_well_formed(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_DATA", str(tmp_path))
    file = Path(__file__).parents[3] / f"scenarios/{name}.yaml"
    study, arms = expand(parse(file.read_text(), str(file)))
    assert (study.name, len(arms), study.replicates) == (name, SHIPPED[name], 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml:1: the document should hold arms or a sweep"),
        ("arms: {}", "mine.yaml:4: arms should name one arm at least"),
        (
            "arms: {a: {}}\nsweep: {features.text: [none]}",
            "mine.yaml:5: sweep should be left out where there are arms",
        ),
        ("sweep: {}", "mine.yaml:4: sweep should name a key and its values"),
        ("sweep:\n  features.text: []", "sweep should name a key and its values"),
        ("sweep: {features.text: none}", "mine.yaml:4: sweep.features.text should be a list, not 'none'"),
        (
            "arms: {a: {}}\nreplicates: 0",
            "mine.yaml:5: replicates should be greater than or equal to 1, not 0",
        ),
        ("arms: {a: {}}\nreplicats: 2", "mine.yaml:5: unknown key 'replicats'; did you mean 'replicates'?"),
        ("arms: {a: {}}\ncutoffs: [10, 5]", "mine.yaml:5: cutoffs should increase"),
        ("arms: {a: {}}\ncold_start: {lengths: [0]}", "mine.yaml:5: cold_start.lengths"),
        ("arms:\n  a: {}\n  b:", "mine.yaml:6: arms.b should be a section of keys, not null"),
        (
            "arms:\n  a: {}\n  b: {recommender.trainng.max_epochs: 3}",
            "mine.yaml:6: unknown key 'recommender.trainng'; did you mean 'recommender.training'?",
        ),
        (
            "arms:\n  a: {}\n  b: {features.txt: none}",
            "mine.yaml:6: unknown key 'features.txt'; did you mean",
        ),
        (
            "arms:\n  a: {}\n  b: {recommender.params: 3}",
            "mine.yaml:6: recommender.params should be a section",
        ),
        ("arms:\n  a: {}\n  b: {recommender.model.x: 3}", "mine.yaml:6: recommender.model is a value"),
        (
            "arms:\n  a:\n    users.count: 3",
            "mine.yaml:6: arms.a.users.count should be a dotted key below data",
        ),
        ("arms:\n  a:\n    recommender: {}", "mine.yaml:6: arms.a.recommender should be a dotted key below"),
        ("arms: {a: {recommender.seed: 3}}", "should be left to replicates"),
        (
            "arms:\n  a: {}\n  b: {recommender.params.intersts: 3}",
            "mine.yaml:6: arm 'b': recommender.params: uim has no parameter 'intersts'",
        ),
        (
            "sweep:\n  recommender.params.interests: [1, two]",
            "mine.yaml:5: arm 'interests=two': recommender.params",
        ),
        ("sweep:\n  recommender.params.interests: [1, 1]", "would share the folder arms/interests=1"),
        ("arms:\n  A b: {}\n  a-b: {}", "mine.yaml:6: arms 'A b' and 'a-b' would share the folder arms/a-b"),
        ("arms: {'..': {}}", "mine.yaml:4: the name of arm '..' should have a letter"),
        ('arms: {"a\\u0007b": {}}', "should have no control characters or line breaks"),
        ('arms: {"a\\nb": {}}', "the name of arm 'a\\nb' should have no control characters"),
        (f"arms: {{{'a' * 200}: {{}}}}", "should have a letter or digit and at most 120 characters"),
    ],
)
def test_a_mistake_is_told_with_its_line_before_anything_is_made(
    text, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(BASE + text)
    assert main(["mine.yaml", "--out", "run"]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_an_arm_that_cannot_be_built_stops_the_study_before_any_is_trained(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(
        BASE + "arms: {good: {recommender.model: popularity}, bad: {recommender.params.interests: 0}}"
    )
    assert main([str(file), "--out", str(tmp_path / "run")]) == 2
    assert "arm 'bad': recommender.params: UiM needs interests" in capsys.readouterr().err
    assert not list(tmp_path.rglob("training.json"))


def test_too_long_a_history_says_that_nobody_has_it(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(BASE + "arms: {a: {recommender.model: popularity}}\ncold_start: {lengths: [5, 5000]}")
    assert main([str(file), "--out", str(tmp_path / "run")]) == 2
    assert "no user has 5000 train interactions" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["arms: {a: {}}", "sweep: {features.text: [none]}", "replicates: 2"])
def test_a_study_is_not_mistaken_for_one_training(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(f"{BASE}users: {{count: 3, client: echo}}\n{text}\n")
    assert train.main(["mine.yaml", "--out", "run"]) == 2
    told = capsys.readouterr().err
    assert f"should not hold {text.partition(':')[0]} here" in told
    assert "python -m recommender.study" in told
    assert not Path("run").exists()


def test_only_an_empty_folder_is_taken_and_only_a_study_resumed(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(BASE + "arms: {a: {}}")
    assert main([str(file), "--out", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["--resume", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err
    assert "nowhere: there is nothing to go on with" in told
    assert "known" not in told


def test_trainings_at_a_time_are_a_number(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["scenarios/interests.yaml", "--jobs", "many"])
    assert "'many' is not a number of at least 1" in capsys.readouterr().err
