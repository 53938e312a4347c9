"""What a user can get wrong ends with exit code 2 and one clear message, before anything is trained."""

import shutil
from importlib.resources import files

import pytest
from small_runs import SCENARIO, set_environment, simulate

from simulator import recommenders


@pytest.fixture(autouse=True)
def _nothing_is_trained(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("training began before the mistake was found")

    monkeypatch.setattr(recommenders, "train_recommender", refuse)


def refusal(finished):
    """The message of a run that must have been refused."""
    assert finished.code == 2, finished.err
    assert finished.out == ""
    assert "Traceback" not in finished.err
    lines = [line for line in finished.err.splitlines() if line.startswith(("error: ", "usage: "))]
    assert len(lines) == 1
    return finished.err[finished.err.index(lines[0]) :].strip()


def edited(tmp_path, old, new):
    text = SCENARIO.read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    return tmp_path / "mine.yaml"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  count: 12", "  cuont: 12", "mine.yaml:8: unknown key 'users.cuont'; did you mean 'users.count'?"),
        ("  count: 12", "  count: many", "mine.yaml:8: users.count"),
        ("client: standin", "client: stand-in", "mine.yaml:9: users.client"),
        ("n: 5", "n: 4", "mine.yaml:13: cutoffs"),
        ("name: small", "name: [", "mine.yaml:"),
        ("client: standin", "client: openai", "client openai needs users.model"),
    ],
)
def test_a_mistake_in_the_file_has_its_line(tmp_path, old, new, said):
    assert said in refusal(simulate(tmp_path / "out", scenario=edited(tmp_path, old, new)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("users.cuont=3", "--set users.cuont: unknown key 'users.cuont'; did you mean 'users.count'?"),
        ("users.count=0", "--set users.count: users.count"),
        ("users.count", "write --set KEY=VALUE"),
        ("users.count=100000", "users.count is 100000, but embedded (synthetic) has"),
        ("cold_start.lengths=[5000]", "lower users.count or cold_start.lengths"),
        ("data.core=500", "no interaction is left"),
        ("data.source=ml-1m", "SCREENTEST_DATA to a folder that holds ml-1m/"),
        ("prompts.feedback=template_9", "has no feedback template 'template_9'"),
        ("prompts.family=nonexistent", "nonexistent"),
        (
            "users.client=nowhere.to_be_found:Client",
            "users.client: 'nowhere.to_be_found:Client' cannot be imported",
        ),
        ("refinement.policy=nowhere.to_be_found:Policy", "refinement.policy: 'nowhere.to_be_found:Policy'"),
        ("refinement.policy=json:loads", "refinement.policy: 'json:loads' cannot be made"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(tmp_path, monkeypatch, override, said):
    set_environment(monkeypatch, SCREENTEST_DATA=None)
    assert said in refusal(simulate(tmp_path / "out", override))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["recommender.params={dim: 64}"], "dim"),
        (["recommender.model=uim", "recommender.params={interst: 4}"], "interst"),
        (["recommender.model=bprmf", "recommender.params={dim: lots}"], "dim"),
        (["recommender.model=nowhere.to_be_found:Model"], "nowhere.to_be_found"),
    ],
)
def test_an_unknown_model_parameter_is_named(tmp_path, monkeypatch, overrides, said):
    monkeypatch.undo()
    from recommender import pipeline

    monkeypatch.setattr(pipeline, "train", lambda *args: pytest.fail("training began"))
    assert said in refusal(simulate(tmp_path / "out", *overrides))


def test_a_missing_scenario_is_named(tmp_path):
    assert "no scenario file" in refusal(simulate(tmp_path / "out", scenario=tmp_path / "none.yaml"))
    assert "a scenario file is needed" in refusal(simulate(tmp_path / "out", scenario=None))


def test_the_shipped_name_is_suggested(tmp_path):
    said = refusal(simulate(tmp_path / "out", scenario="scenarios/cold_strat.yaml"))
    assert "did you mean 'scenarios/cold_start.yaml'?" in said


def test_a_missing_key_names_the_variable(tmp_path, monkeypatch):
    set_environment(monkeypatch, OPENAI_API_KEY=None)
    said = refusal(simulate(tmp_path / "out", "users.client=openai", "users.model=gpt-4o-mini"))
    assert "OPENAI_API_KEY" in said
    assert not (tmp_path / "out").exists()


def ml1m(folder, **files_):
    """A tiny MovieLens-1M folder."""
    folder.mkdir()
    users = "".join(f"{n}::F::25::7::02139\n" for n in range(1, 9))
    movies = "".join(f"{n}::Film {n} (1999)::Drama|War\n" for n in range(1, 13))
    ratings = "".join(f"{u}::{m}::4::{1000 * u + m}\n" for u in range(1, 9) for m in range(1, 13))
    for name, text in {"users": users, "movies": movies, "ratings": ratings, **files_}.items():
        (folder / f"{name}.dat").write_text(text, encoding="latin-1")
    return [f"data.path={folder}", "data.source=ml-1m", "data.max_users=8"]


@pytest.mark.parametrize(
    "line", ["1::2::4", "1::2::four::900", "1::2::9::900", "1::999::4::900", "999::2::4::900", "::::"]
)
def test_a_malformed_rating_has_its_line(tmp_path, line):
    data = ml1m(tmp_path / "ml-1m", ratings=f"1::1::4::1001\n1::2::4::1002\n{line}\n")
    assert "ratings.dat:3" in refusal(simulate(tmp_path / "out", *data))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_of_the_data_is_named(tmp_path):
    data = ml1m(tmp_path / "ml-1m")
    (tmp_path / "ml-1m" / "movies.dat").unlink()
    assert "movies.dat" in refusal(simulate(tmp_path / "out", *data))
    said = refusal(simulate(tmp_path / "out", f"data.path={tmp_path}/gone", "data.source=ml-1m"))
    assert f"{tmp_path}/gone" in said


def test_an_unknown_placeholder_has_its_line(tmp_path):
    family = tmp_path / "family"
    shutil.copytree(str(files("prompts") / "families" / "paper"), family)
    (family / "template_b.txt").write_text("Dear {name},\nrank {candidates} for {mood}.\n")
    said = refusal(simulate(tmp_path / "out", f"prompts.family={family}"))
    assert "template_b.txt:2" in said
    assert "mood" in said


def test_a_run_is_never_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    said = refusal(simulate(tmp_path / "out"))
    assert "is not empty; give --out a new folder" in said
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("mine")
    assert "is a file; give --out a new folder" in refusal(simulate(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"
