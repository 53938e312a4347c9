import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranx import Qrels, Run, evaluate

from recommender.metrics import ranking_metrics

CUTOFFS = (1, 3, 10, 25)


def hits_of(rankings, targets):
    return np.array([[item in wanted for item in row] for row, wanted in zip(rankings, targets, strict=True)])


def test_equals_ranx():
    generator = np.random.default_rng(0)
    users, items, width = 200, 60, 25
    rankings = np.array([generator.permutation(items)[:width] for _ in range(users)])
    targets = [set(generator.permutation(items)[: generator.integers(1, 31)].tolist()) for _ in range(users)]
    ours = ranking_metrics(
        hits_of(rankings.tolist(), targets), np.array([len(wanted) for wanted in targets]), CUTOFFS
    )
    qrels = Qrels({f"u{n:03}": {str(item): 1 for item in wanted} for n, wanted in enumerate(targets)})
    run = Run(
        {
            f"u{n:03}": {str(item): 1 - place / width for place, item in enumerate(row)}
            for n, row in enumerate(rankings.tolist())
        }
    )
    names = [f"{kind}@{n}" for kind in ("hit_rate", "ndcg", "recall") for n in CUTOFFS]
    theirs = evaluate(qrels, run, [*names, f"mrr@{width}"], return_mean=False)
    assert len(theirs) == 13
    for name, values in theirs.items():
        mine = ours["mrr" if name.startswith("mrr") else name.replace("hit_rate", "hr")]
        np.testing.assert_allclose(mine, values, rtol=0, atol=1e-6, err_msg=name)


def test_by_hand():
    metrics = ranking_metrics(
        np.array([[False, True, True], [False, False, False]]), np.array([3, 1]), [1, 2, 3]
    )
    assert metrics["hr@1"].tolist() == [0, 0]
    assert metrics["hr@2"].tolist() == [1, 0]
    assert metrics["recall@3"].tolist() == [2 / 3, 0]
    assert metrics["mrr"].tolist() == [0.5, 0]
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    np.testing.assert_allclose(metrics["ndcg@2"], [second / (1 + second), 0])
    np.testing.assert_allclose(metrics["ndcg@3"], [(second + third) / (1 + second + third), 0])


@given(st.integers(1, 12), st.integers(1, 12))
def test_the_best_possible_list_has_an_ndcg_of_one(targets, cutoff):
    hits = np.arange(12)[None] < targets
    assert ranking_metrics(hits, np.array([targets]), [cutoff])[f"ndcg@{cutoff}"] == pytest.approx([1])


def test_a_cutoff_beyond_the_list_still_counts_all_targets_in_the_ideal():
    metrics = ranking_metrics(np.array([[True, True]]), np.array([4]), [10])
    ideal = sum(1 / math.log2(place + 2) for place in range(4))
    assert metrics["ndcg@10"] == pytest.approx([(1 + 1 / math.log2(3)) / ideal])
    assert metrics["recall@10"] == [0.5]


def test_a_user_without_targets_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="at least one target"):
        ranking_metrics(np.zeros((2, 3), dtype=bool), np.array([1, 0]), [1])
