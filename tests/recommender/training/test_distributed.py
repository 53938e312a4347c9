import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from recommender_doubles import interactions
from two_ranks import HELD_OUT, MODELS, together

from recommender.data.histories import Histories
from recommender.models import ModelError, build
from recommender.models.layers.distributed import gather_across, rows_before
from recommender.testing import toy_inputs, toy_profile
from recommender.training import TrainingConfig, train
from recommender.training.distributed import Ranks, launched_by_torchrun

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def trained_by_two(tmp_path_factory):
    """What each model and its log became under torchrun with two processes."""
    out = tmp_path_factory.mktemp("ranks")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, ROOT / "tests" / "two_ranks.py", out],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", MODELS)
def test_two_ranks_take_the_steps_of_one_process(trained_by_two, name):
    alone, (log, ndcg) = together(name)
    for weights, (their_log, their_ndcg) in (results[name] for results in trained_by_two):
        assert their_log == pytest.approx(log, rel=1e-4)
        assert their_ndcg == pytest.approx(ndcg, rel=1e-6)
        for key, value in alone.items():
            torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_ranks_stay_the_same_to_the_bit(trained_by_two, name):
    first, second = (results[name][0] for results in trained_by_two)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_training_of_two_ranks_resumes_to_the_same_bits(trained_by_two):
    for results in trained_by_two:
        whole, resumed = results["whole"], results["resumed"]
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_a_process_alone_gathers_its_own_rows():
    rows = torch.ones(3, 2, requires_grad=True)
    assert gather_across(rows) is rows
    assert rows_before(rows) == 0


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with launched_by_torchrun(cuda=False) as ranks:
        assert ranks == Ranks.current() == Ranks(0, 1)


def first_draws(monkeypatch, seed, rank, ranks):
    """What a rank's negatives of the first step are drawn from."""
    monkeypatch.setattr(Ranks, "current", lambda: Ranks(rank, ranks))
    monkeypatch.setattr(Ranks, "align", lambda self, model: None)
    inputs = toy_inputs()
    model, drawn = build("bprmf", {"dim": 4}, inputs), []

    def draw(user, count):
        drawn.extend(torch.rand(5).tolist())
        raise KeyboardInterrupt

    monkeypatch.setattr(model.pairwise.sampler, "draw", draw)
    with pytest.raises(KeyboardInterrupt):
        train(model, inputs.train, toy_profile(inputs), HELD_OUT, TrainingConfig(seed=seed))
    return tuple(drawn)


@pytest.mark.parametrize("seed", [0, 5, 2**63 - 1])
def test_the_first_rank_draws_as_a_process_alone_and_no_other_repeats_it(monkeypatch, seed):
    drawn = [first_draws(monkeypatch, seed, rank, 3) for rank in range(3)]
    assert drawn[0] == first_draws(monkeypatch, seed, 0, 1)
    assert len(set(drawn)) == 3


@pytest.mark.parametrize(("size", "rows"), [(1, 1), (1024, 2)])
def test_batches_too_small_for_the_ranks_are_refused(monkeypatch, size, rows):
    monkeypatch.setattr(Ranks, "current", lambda: Ranks(2, 3))
    inputs = toy_inputs()
    few = Histories.of(interactions([(0, 0, 5, 0), (0, 1, 5, 1)]), inputs.users)
    model, config = build("bprmf", {"dim": 4}, inputs), TrainingConfig(batch_size=size)
    with pytest.raises(ModelError, match=f"a batch of {rows} examples cannot be divided among 3 ranks"):
        train(model, few, toy_profile(inputs), HELD_OUT, config)


@pytest.mark.parametrize(("count", "size", "ranks"), [(10, 4, 2), (9, 4, 2), (9, 4, 3), (3, 4, 3), (8, 4, 2)])
def test_every_rank_has_rows_of_every_batch_and_together_all(count, size, ranks):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    taken = []
    for batch in Ranks(0, ranks).batches(order, size):
        shares = [Ranks(rank, ranks).share(batch) for rank in range(ranks)]
        assert min(map(len, shares)) >= 1
        taken.append(torch.cat(shares))
    assert torch.equal(torch.cat(taken), order)
