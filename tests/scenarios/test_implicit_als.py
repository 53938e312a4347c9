"""implicit's ALS as a recommender: it keeps the contract, and serves what the library itself would."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy import sparse
from small_runs import simulate

from recommender.data.histories import PAD
from recommender.models import ModelError, build
from recommender.testing import RecommenderConformance, toy_inputs

als = pytest.importorskip("implicit.cpu.als", reason="the extra 'implicit' is not installed")

NAME = "scenarios.bring_your_own.implicit_als:ImplicitALS"
PARAMS = {"factors": 6, "regularization": 0.1, "alpha": 3.0, "threads": 1}


class TestImplicitALS(RecommenderConformance):
    model_name = NAME
    params: ClassVar = PARAMS


def made(**params):
    torch.manual_seed(0)
    return build(NAME, PARAMS | params, toy_inputs())


def everybody(model):
    inputs = toy_inputs()
    batch = TestImplicitALS().batch(model, inputs)
    return replace(batch, history=inputs.train.latest(batch.user, None))


def test_users_are_what_the_library_recalculates():
    model = made()
    batch = everybody(model)
    rows = torch.zeros(len(batch.user), 37).scatter_(1, batch.history.clamp(min=-1) + 1, 1.0)[:, 1:]
    library = als.AlternatingLeastSquares(factors=6, regularization=0.1, alpha=3.0, num_threads=1)
    library.item_factors = model.items().numpy()
    expected = library.recalculate_user(np.arange(len(rows)), sparse.csr_matrix(rows.numpy()))
    np.testing.assert_allclose(model.users(batch)[:, 0].numpy(), expected, rtol=1e-3, atol=1e-5)


def test_what_was_just_accepted_counts():
    model = made()
    history = torch.full((1, 3), PAD)
    accepted = torch.tensor([[PAD, PAD, 5]])
    batch = replace(everybody(model), user=torch.tensor([0]), target=None)
    before, after = (
        model.score(replace(batch, history=each), model.catalogue()) for each in (history, accepted)
    )
    assert not before.any()
    # Items 0 to 11 are one taste.
    assert after[0, :12].mean() > 0.1 > after[0, 12:].mean().abs()


def test_an_item_that_stands_twice_counts_once():
    model = made()
    batch = replace(everybody(model), target=None)
    twice = torch.cat([batch.history, batch.history], 1)
    torch.testing.assert_close(model.users(replace(batch, history=twice)), model.users(batch))


def test_the_number_of_threads_does_not_matter():
    assert torch.equal(made(threads=1).items(), made(threads=2).items())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"factors": 0}, r"recommender\.params\.factors: 0 should be at least 1"),
        ({"alpha": 0.0}, r"recommender\.params\.alpha: 0\.0 should be above 0"),
        ({"regularization": -1.0}, r"recommender\.params\.regularization: -1\.0 should be above 0"),
        ({"threads": -1}, r"recommender\.params\.threads: -1 should be 0"),
    ],
)
def test_a_wrong_option_is_named(params, message):
    with pytest.raises(ModelError, match=message):
        made(**params)


def test_a_fit_that_diverges_is_told():
    with pytest.raises(ModelError, match=r"the fit of ALS has diverged .*; lower alpha"):
        made(alpha=1e38)


def test_a_library_that_is_not_there_is_asked_for(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "implicit.cpu", None)
    with pytest.raises(ModelError, match=r"pip install 'screentest\[implicit\]'"):
        made()


def test_its_scenario_runs_and_replays(tmp_path):
    scenario = "scenarios/bring_your_own/implicit_als.yaml"
    run = simulate(tmp_path / "run", "users.count=8", "data.max_users=150", scenario=scenario)
    assert run.code == 0, run.err
    assert run.summary["recommender"]["model"] == NAME
    again = simulate(tmp_path / "again", options=("--replay", run.path), scenario=None)
    assert again.code == 0, again.err
    assert again.bytes_of("turns.jsonl") == run.bytes_of("turns.jsonl")
