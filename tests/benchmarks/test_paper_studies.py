"""The paper's studies: each is a scenario that loads, what is done is not done again, and what fails says where."""

import json
import sys

import pytest

from benchmarks import paper_studies
from benchmarks.paper_studies import STUDIES, _lines
from recommender.configuration import Study
from scenarios.reading import read_document, typed
from simulator.scenario import arms_of, load


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
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
    (folder / "summary.json").write_text("{}")
    recorded = {}
    monkeypatch.setattr(paper_studies, "record", lambda name, fields, command: recorded.update(fields))
    monkeypatch.setattr(sys, "argv", ["paper_studies", "--folder", str(tmp_path), "--only", "table4"])
    paper_studies.main()
    assert recorded["studies"]["table4"]["rows"]["template a, refined"]["ndcg@20"] == 25
    lines = capsys.readouterr().err
    assert "template a, refined     25.00     25.00     25.00     25.00   25.32  22.08  30.79  28.93" in lines
    assert _lines(study, {"template a": dict.fromkeys(study.metrics, 1.0)})[1].endswith("1.00")


def test_a_study_that_fails_ends_with_its_command(tmp_path, monkeypatch, capfd):
    options = ["paper_studies", "--folder", str(tmp_path), "--only", "table4", "--set", "users.count=-1"]
    monkeypatch.setattr(sys, "argv", options)
    with pytest.raises(SystemExit, match=r"table4 ended with exit code 2: .*simulator\.run"):
        paper_studies.main()
    assert "users.count" in capfd.readouterr().err
