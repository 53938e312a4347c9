r"""Side by side with RecBole (BPR, LightGCN, SASRec) and cornac (VBPR): seconds and quality, in one run.

Both sides train and test on exactly the same rows (our per-user temporal 8:1:1, full ranking, seen items masked), with
the same embedding width, layers, heads, history, negatives a target and targets a step, and the same number of threads.
Epochs alternate, ours then theirs, and so do evaluations; one of each warms up, the next three give medians. A ratio
is their seconds over ours, so above 1 we are faster; `_cpu` is the same of processor time, which on a machine that others
use as well is the steadier of the two.

- An epoch is one pass in which each train target is trained once. RecBole's SASRec sees an example for each prefix of a
  history, ours a stretch of it whole, so our batch is counted in targets too: as many steps an epoch on both sides.
- An evaluation is each library's own, of test at @10 and @50. RecBole scores as many users at a time as we do (512). With
  its default, one user for a general model on catalogues like these, it takes `eval_as_shipped_s_theirs`. For SASRec it gets
  one row a user and masks nothing, which is less work than ours; cornac scores user by user and has no such option.
- Quality: early stopping on validation NDCG@10 with a patience of 3 on both sides, then test. NDCG and HR of both are
  computed by our definition from each side's best 50 items; what the peer says of itself is `reported_theirs` (for SASRec
  that is of one target a user with nothing masked, another number). A side that `--max-epochs` ended before its patience
  did is named in `cut_short`. What a library does not offer stays its own: its initial weights, its L2 and its optimiser.

    python -m venv recbole && recbole/bin/pip install recbole==1.2.1 torch "numpy<2" "scipy<1.12" "pandas<2.3"
    python -m venv cornac && cornac/bin/pip install cornac==3.0.1 torch
    SCREENTEST_DATA=../shared/data python -m benchmarks.versus_peers --recbole-python recbole/bin/python \
        --cornac-python cornac/bin/python --features ../shared/data/ml-1m/content/posters_efficientnet_lite0.npz

A peer without its Python has null, and `why`. benchmarks/peers/README.md says what is pinned, and why.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from benchmarks.peers.exchange import (
    PeerError,
    PeerProcess,
    export_features,
    export_sequences,
    export_split,
)
from benchmarks.peers.pairings import DIM, LIBRARIES, PAIRINGS, Pairing
from benchmarks.peers.rounds import Course, Plan, alternate, ratios, typical
from benchmarks.peers.sides import Ours, Seconds, Side, Theirs
from benchmarks.recording import record
from recommender import data
from recommender.data.histories import Histories
from recommender.data.splitting import Split, prepare
from recommender.features.precomputed import read_features
from recommender.features.text import text_features
from recommender.models import Inputs, build
from recommender.training import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.features.modality import Modality

_CUTOFFS = (10, 50)
_EVALUATED = 512
"""Users that are scored at a time, on both sides."""
_SEED = 0
_QUICK_USERS = 150
_DRAWN = ("recbole-bpr", "recbole-lightgcn")
"""Peers that can be told how many negatives to draw."""
_SCRIPTS = Path(__file__).parent / "peers"
_NAMES = ("ours", "theirs")
_INNER = ("seconds", "cut_short")


@dataclass(frozen=True)
class Prepared:
    """Data, split, and what models are built from."""

    label: str
    split: Split
    train: Histories
    features: Modality


def main() -> None:
    """Measure the pairings one after the other; the result is written after each."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--peers", nargs="+", choices=list(PAIRINGS), default=list(PAIRINGS))
    for library in LIBRARIES:
        options.add_argument(
            f"--{library}-python", type=Path, help=f"the Python in which {library} is installed"
        )
    options.add_argument(
        "--data", help="for all peers: a source, amazon-beauty or embedded (default: each its own)"
    )
    options.add_argument("--path", type=Path, help="of --data (default: $SCREENTEST_DATA/DATA)")
    options.add_argument(
        "--features", default="tfidf", help="what VBPR reads of items: tfidf of their texts, or a .npz file"
    )
    options.add_argument("--phase", choices=("speed", "quality", "both"), default="both")
    options.add_argument(
        "--max-epochs", nargs="+", default=[], metavar="PEER=N", help="of one peer, or of all=N (default 50)"
    )
    options.add_argument(
        "--learning-rates", nargs="+", type=float, help="each side keeps its best one (default: one a peer)"
    )
    options.add_argument(
        "--negatives", type=int, help=f"a target, of {' and '.join(_DRAWN)} (default: 5, the paper's)"
    )
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--out", help="name of the result (default: versus-peers, with --data behind it)")
    options.add_argument("--quick", action="store_true", help="embedded data, one epoch after the first")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.data, chosen.max_epochs = "embedded", ["all=2"]
    _run(chosen)


def _run(chosen: argparse.Namespace) -> None:
    torch.set_num_threads(chosen.threads)
    limits = {name: int(epochs) for name, _, epochs in (word.partition("=") for word in chosen.max_epochs)}
    prepared: dict[str, Prepared] = {}
    entries: dict[str, dict[str, Any]] = {}
    for name in chosen.peers:
        pairing = PAIRINGS[name]
        if chosen.negatives and name in _DRAWN:
            pairing = replace(pairing, negatives=chosen.negatives)
        source = chosen.data or pairing.data
        if source not in prepared:
            prepared[source] = prepare_data(
                source, chosen.path, chosen.features, _QUICK_USERS if chosen.quick else None
            )
        plan = Plan(
            limits.get(name, limits.get("all", 50)),
            speed=chosen.phase != "quality",
            quality=chosen.phase != "speed",
        )
        python = chosen.recbole_python if pairing.package == "recbole" else chosen.cornac_python
        rates = chosen.learning_rates or [pairing.learning_rate]
        print(f"{name} on {prepared[source].label}", file=sys.stderr, flush=True)
        entries[name] = compared(pairing, prepared[source], python, plan, rates, chosen.threads)
        record(_result_name(chosen), {"peers": entries}, _command(sys.argv[1:]))


def prepare_data(source: str, path: Path | None, features: str, users: int | None = None) -> Prepared:
    """Read and split the data `source`, of its first `users` if given, and make or read the features of its items."""
    if source == "amazon-beauty":
        dataset = data.load("atomic", path or Path(os.environ["SCREENTEST_DATA"]) / source)
    else:
        dataset = data.load(source, path)
    if users is not None:
        dataset = dataset.with_interactions(
            dataset.interactions.take(dataset.interactions.user < users)
        ).compact()
    split = prepare(dataset)
    items = split.dataset.items
    if features == "tfidf":
        modality = text_features(items)
    else:
        modality = read_features(Path(features), items["item_id"].tolist(), "visual")
    return Prepared(dataset.label, split, Histories.of(split.train, len(split.dataset.users)), modality)


def compared(
    pairing: Pairing,
    prepared: Prepared,
    python: Path | None,
    plan: Plan,
    learning_rates: Sequence[float],
    threads: int,
) -> dict[str, Any]:
    """The fields of one pairing; without the peer they are null, and `why` says what is the matter."""
    entry: dict[str, Any] = {
        "model": pairing.ours,
        "data": prepared.label,
        **dict.fromkeys(("train_ratio", "eval_ratio", "ndcg_ours", "ndcg_theirs")),
        "batch": pairing.batch,
        "dim": DIM,
        "threads": threads,
        "seed": _SEED,
        "negatives": pairing.negatives,
        "params_ours": dict(pairing.params),
        "params_theirs": {"model": pairing.theirs, **pairing.options},
    }
    if python is None:
        return {**entry, "why": f"no Python with {pairing.package} was given; use --{pairing.package}-python"}
    try:
        runs = [_trained(pairing, prepared, python, plan, rate, threads) for rate in learning_rates]
    except PeerError as error:
        print(error, file=sys.stderr, flush=True)
        return {**entry, "why": str(error).partition("\n")[0]}
    # Each side's own best; the seconds are those of the first run, in which both stood side by side.
    best = {
        side: max((run[side] for run in runs), key=lambda found: found.get("validation_ndcg", 0))
        for side in _NAMES
    }
    seconds = {side: runs[0][side]["seconds"] for side in _NAMES}
    entry |= {
        **_ratio("train", seconds["theirs"]["epoch"], seconds["ours"]["epoch"]),
        **_ratio("eval", seconds["theirs"]["eval"], seconds["ours"]["eval"]),
        **_ratio("eval_as_shipped", seconds["theirs"]["eval_as_shipped"], seconds["ours"]["eval"]),
        "versions_theirs": runs[0]["versions"],
        "cut_short": [side for side in _NAMES if best[side].get("cut_short")],
    }
    for side in _NAMES:
        for name, each in seconds[side].items():
            if each is not None:
                entry |= {f"{name}_s_{side}": round(each.wall, 3), f"{name}_cpu_s_{side}": round(each.cpu, 3)}
        entry |= {f"{name}_{side}": value for name, value in best[side].items() if name not in _INNER}
    return entry


def _trained(
    pairing: Pairing, prepared: Prepared, python: Path, plan: Plan, rate: float, threads: int
) -> dict[str, dict[str, Any]]:
    """What is found of ours and theirs with one learning rate, and the peer's versions."""
    split = prepared.split
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        read = {
            "users": len(split.dataset.users),
            "items": len(split.dataset.items),
            "rows": export_split(split, folder),
            "threads": threads,
        }
        if pairing.history:
            read["rows"] = export_sequences(split, folder, pairing.history)
        if pairing.features:
            export_features(prepared.features.vectors.numpy(), folder)
        settings = {
            "folder": str(folder),
            "sequences": bool(pairing.history),
            "model": pairing.theirs,
            "options": dict(pairing.options),
            "negatives": pairing.negatives,
            "batch": pairing.batch,
            "learning_rate": rate,
            "eval_users": _EVALUATED,
            "cutoffs": _CUTOFFS,
            "seed": _SEED,
            "threads": threads,
        }
        ours = _ours(pairing, prepared, rate, plan)
        script = _SCRIPTS / f"{pairing.package}_run.py"
        with PeerProcess(python, script, settings, folder) as process:
            process.require(read)
            theirs = Theirs(process, folder)
            courses = alternate([ours, theirs], plan, lambda side: _validated(side, split), _report)
            as_shipped = plan.speed and pairing.package == "recbole"
            shipped = theirs.evaluate_as_shipped() if as_shipped else None
            found = {name: _found(course, plan, split) for name, course in zip(_NAMES, courses, strict=True)}
            for name, each in found.items():
                each["learning_rate"] = rate
                each["seconds"]["eval_as_shipped"] = shipped if name == "theirs" else None
            if plan.quality:
                # Of its best weights, in its own terms: for reference.
                theirs.evaluate()
                found["theirs"]["reported"] = theirs.reported
            return {**found, "versions": process.ready["versions"]}


def _ours(pairing: Pairing, prepared: Prepared, rate: float, plan: Plan) -> Ours:
    split, train = prepared.split, prepared.train
    users, items = len(split.dataset.users), len(split.dataset.items)
    torch.manual_seed(_SEED)
    inputs = Inputs(users, items, train, visual=prepared.features if pairing.features else None)
    negatives = {"negatives": pairing.negatives} if pairing.negatives else {}
    model = build(pairing.ours, {**pairing.params, **negatives}, inputs)
    batch = pairing.batch
    if pairing.history:
        # Our example is a stretch of targets; the peer's is one.
        targets = (train.sizes() - 1).clamp(min=0)
        stretches = (targets + pairing.history - 1) // pairing.history
        batch = max(1, round(batch * int(stretches.sum()) / int(targets.sum())))
    config = TrainingConfig(max_epochs=plan.epochs, batch_size=batch, learning_rate=rate, seed=_SEED)
    return Ours(model, split, config, _CUTOFFS)


def _validated(side: Side, split: Split) -> float:
    metrics = side.ranking("validation").metrics(split.validation, _CUTOFFS[:1])
    return float(metrics[f"ndcg@{_CUTOFFS[0]}"].mean())


def _found(course: Course, plan: Plan, split: Split) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seconds": {
            "epoch": typical(course.epochs, plan.timed) if plan.speed else None,
            "eval": typical(course.evaluations, plan.timed),
        },
        "epochs": len(course.epochs),
    }
    if plan.quality:
        metrics = course.side.ranking("test").metrics(split.test, _CUTOFFS)
        test = {
            f"{kind}{'' if k == _CUTOFFS[0] else f'@{k}'}": round(float(metrics[f"{kind}@{k}"].mean()), 4)
            for k in _CUTOFFS
            for kind in ("ndcg", "hr")
        }
        found |= {
            "best_epoch": course.best_epoch,
            "validation_ndcg": round(course.best, 4),
            "cut_short": not course.converged,
            **test,
        }
    return found


def _ratio(name: str, theirs: Seconds | None, ours: Seconds | None) -> dict[str, float | None]:
    wall, cpu = ratios(theirs, ours)
    return {f"{name}_ratio": wall, f"{name}_ratio_cpu": cpu}


def _report(epoch: int, courses: Sequence[Course]) -> None:
    words = [
        f"{name} {course.epochs[-1].wall:.2f} s"
        + (f", evaluation {course.evaluations[-1].wall:.2f} s" if len(course.evaluations) >= epoch else "")
        + (f", validation {course.validation[-1]:.4f}" if course.validation else "")
        for name, course in zip(_NAMES, courses, strict=True)
        if len(course.epochs) == epoch
    ]
    print(f"epoch {epoch}: {'; '.join(words)}", file=sys.stderr, flush=True)


def _result_name(chosen: argparse.Namespace) -> str:
    if chosen.out:
        return str(chosen.out)
    return "versus-peers-quick" if chosen.quick else "-".join(["versus-peers", *filter(None, [chosen.data])])


def _command(words: Sequence[str]) -> str:
    """The command without the interpreters, which are where each machine has them."""
    interpreters = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for library in LIBRARIES:
        interpreters.add_argument(f"--{library}-python")
    _, kept = interpreters.parse_known_args(words)
    return " ".join(["python -m benchmarks.versus_peers", *kept])


if __name__ == "__main__":
    main()
