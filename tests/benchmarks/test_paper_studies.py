"""The paper's studies: each is a scenario that loads, what is done is not done again, and what fails says where."""

import argparse
import json
import sys

import pytest

from benchmarks import paper_studies
from benchmarks.paper_studies import STUDIES, _lines
from recommender.configuration import Study
from scenarios.reading import dump, read_document, typed
from simulator.scenario import arms_of, load


@pytest.mark.parametrize("study", [each for each in STUDIES if not each.of], ids=lambda study: study.name)
def test_each_is_a_scenario_with_its_overrides_and_prints_what_the_paper_has(study, tmp_path):
    (tmp_path / study.data).mkdir()
    for overrides in (study.embedded, (*study.real, f"data.path={tmp_path / study.data}")):
        file = paper_studies._SCENARIOS / f"{study.scenario}.yaml"
        if study.by == "simulator.run":
            scenario = load(file, overrides)
            names = [name for arm in arms_of(scenario) for name in arm.lengths]
            known = {*names, *(f"{name}, refined" for name in names)}
            assert study.printed.keys() <= known
            assert {int(metric.split("@")[1]) for metric in study.metrics} <= {*scenario.cutoffs}
        else:
            assert typed(Study, read_document(file, overrides)) is not None
    assert all(len(values) == len(study.metrics) for values in study.printed.values())


def test_what_is_finished_is_not_run_again_and_stands_beside_the_paper(tmp_path, monkeypatch, capsys):
    study = next(each for each in STUDIES if each.name == "table4")
    folder = tmp_path / "table4"
    folder.mkdir()
    told = {name: {metric: {"mean": 0.25} for metric in study.metrics} for name in ("recommender", "refined")}
    (folder / "metrics.json").write_text(json.dumps({"template b": told, "template a": told}))
    (folder / "summary.json").write_text(json.dumps({"seconds": {"training": 40.0, "metrics": 2.5}}))
    run = load(paper_studies._SCENARIOS / "prompt_ab.yaml", [*study.embedded, "users.count=7"])
    (folder / "scenario.yaml").write_text(dump(run))
    recorded = {}
    monkeypatch.setattr(paper_studies, "record", lambda name, fields, command: recorded.update(fields))
    monkeypatch.setattr(sys, "argv", ["paper_studies", "--folder", str(tmp_path), "--only", "table4"])
    paper_studies.main()
    assert recorded["studies"]["table4"]["rows"]["template a, refined"]["ndcg@20"] == 25
    assert recorded["studies"]["table4"]["seconds"] == 42.5
    shipped = load(paper_studies._SCENARIOS / "prompt_ab.yaml")
    changed = recorded["studies"]["table4"]["changed"]
    assert changed["users.count"] == (shipped.users.count, 7)
    assert changed["recommender.training.max_epochs"] == (shipped.recommender.training.max_epochs, 6)
    assert "users.client" not in changed
    lines = capsys.readouterr().err
    assert f"users.count: 7 in place of the scenario's {shipped.users.count}" in lines
    assert "template a, refined     25.00     25.00     25.00     25.00   25.32  22.08  30.79  28.93" in lines
    assert _lines(study, {"template a": dict.fromkeys(study.metrics, 1.0)})[1].endswith("1.00")


def test_a_study_that_fails_ends_with_its_command(tmp_path, monkeypatch, capfd):
    options = ["paper_studies", "--folder", str(tmp_path), "--only", "table4", "--set", "users.count=-1"]
    monkeypatch.setattr(sys, "argv", options)
    with pytest.raises(SystemExit, match=r"table4 ended with exit code 2: .*simulator\.run"):
        paper_studies.main()
    assert "users.count" in capfd.readouterr().err


def test_an_override_is_for_one_study_or_for_all_with_an_audience(tmp_path, monkeypatch, capfd):
    def overrides(study, *words):
        chosen = argparse.Namespace(data=None, overrides=list(words))
        return paper_studies._own(next(each for each in STUDIES if each.name == study), chosen)

    words = ("users.count=9", "fig3:replicates=1", "table4:data.path=a:b=c")
    assert overrides("table4", *words)[-2:] == ["users.count=9", "data.path=a:b=c"]
    assert overrides("fig3", *words)[-1] == "replicates=1"
    assert not {"users.count=9", "data.path=a:b=c"} & {*overrides("fig3", *words)}
    assert overrides("table2", *words)[-1] == "users.count=9"
    for name in ("fig9", "fig5-7"):
        options = ["paper_studies", "--folder", str(tmp_path), "--set", f"{name}:replicates=1"]
        monkeypatch.setattr(sys, "argv", options)
        with pytest.raises(SystemExit, match="2"):
            paper_studies.main()
        assert f"--set {name}: no such study to be set; there are table2, " in capfd.readouterr().err


def test_two_users_are_shown_of_the_run_of_another_study(tmp_path, monkeypatch, capsys):
    recorded = {}
    monkeypatch.setattr(paper_studies, "record", lambda name, fields, command: recorded.update(fields))
    monkeypatch.setattr(sys, "argv", ["paper_studies", "--folder", str(tmp_path), "--only", "fig5-7"])
    with pytest.raises(SystemExit, match=r"fig5-7 shows the run of table2, and .*table2 holds none"):
        paper_studies.main()
    own = (
        "--folder",
        str(tmp_path),
        "--only",
        "table2",
        "fig5-7",
        "--set",
        "users.count=20",
        "--set",
        "arms={UiM: {}}",
    )
    small = ("--set", "recommender.training.max_epochs=1", "--set", "data.generated_users=200")
    monkeypatch.setattr(sys, "argv", ["paper_studies", *own, *small])
    paper_studies.main()
    rows = recorded["studies"]["fig5-7"]["rows"]
    assert len(rows) == 6, "three interests of two users"
    assert all(0 < weight < 100 for told in rows.values() for weight in told.values())
    assert (tmp_path / "fig5-7" / "case_study.md").exists()
    assert capsys.readouterr().err.count("interest 3") == 2
