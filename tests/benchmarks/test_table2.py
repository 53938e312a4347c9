import json

import pytest

from benchmarks import recording, table2, tuning


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_RESULTS", tmp_path)
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run(main, results, monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["benchmark", "--data", "embedded", *words])
    main()
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    (written,) = [
        json.loads(file.read_text())["result"]
        for file in results.glob("*.json")
        if json.loads(file.read_text())["result"] == printed
    ]
    return written


def test_every_model_has_as_many_trials():
    assert {len(grid) for grid in tuning.GRIDS.values()} == {4}


def test_a_tuned_setting_is_the_one_that_validation_liked_best(results, monkeypatch, capsys):
    words = ["--models", "ease-recent", "bprmf", "--seconds", "0.01"]
    found = run(tuning.main, results, monkeypatch, capsys, *words)["models"]
    for model in found.values():
        best = max(model["trials"], key=lambda trial: trial["validation_ndcg@10"])
        assert (model["params"], model["training"]) == (best["params"], best["training"])
    # The time was over in the first epoch, which is trained to its end.
    assert {trial["epochs"] for trial in found["bprmf"]["trials"]} == {1}
    used = run(table2.main, results, monkeypatch, capsys, *words[:3], "--max-epochs", "all=1", "--seeds", "5")
    assert used["models"]["ease-recent"]["params"] == found["ease-recent"]["params"]
    assert used["models"]["bprmf"]["training"] == found["bprmf"]["training"]
    assert used["models"]["bprmf"]["seeds"] == [5]


def test_a_shortened_training_is_marked_and_the_whole_one_is_not(results, monkeypatch, capsys):
    models = run(
        table2.main, results, monkeypatch, capsys,
        "--models", "popularity", "bprmf", "uim", "--seeds", "0", "1", "--fewer", "uim=1",
        "--max-epochs", "bprmf=2", "uim=1", "--also", "uim.dropout=0.3", "uim.training.weight_decay=0.1",
    )  # fmt: skip
    assert (models["models"]["popularity"]["shortened_to"], models["models"]["popularity"]["seeds"]) == (
        None,
        [0],
    )
    assert (models["models"]["bprmf"]["shortened_to"], models["models"]["bprmf"]["epochs"]) == (2, [2, 2])
    assert (models["models"]["uim"]["seeds"], models["models"]["uim"]["best_was_last"]) == ([0], True)
    assert models["models"]["uim"]["params"]["dropout"] == 0.3
    assert models["models"]["uim"]["training"]["weight_decay"] == 0.1
    assert "dropout" not in models["models"]["bprmf"]["params"]
    for name in ("popularity", "bprmf"):
        for metric in ("ndcg@10", "hr@10"):
            told = models["uim_minus"][name][metric]
            difference = models["models"]["uim"][metric] - models["models"][name][metric]
            assert told["diff"] == pytest.approx(difference, abs=2e-4)
            assert told["low"] < told["diff"] < told["high"]


def test_what_is_finished_is_not_trained_again_and_says_the_same(results, monkeypatch, capsys):
    words = ["--models", "bprmf", "--seeds", "0", "--max-epochs", "all=1", "--folder", str(results / "kept")]
    first = run(table2.main, results, monkeypatch, capsys, *words)

    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr("benchmarks.ranking_task.train", never)
    assert run(table2.main, results, monkeypatch, capsys, *words) == first
    # Another length of training is another result.
    with pytest.raises(AssertionError, match="trained again"):
        run(table2.main, results, monkeypatch, capsys, *words, "--max-epochs", "all=2")
