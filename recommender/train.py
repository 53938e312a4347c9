"""python -m recommender.train SCENARIO: train a scenario's recommender; under `torchrun -m`, on several processes."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.command_line import add_overrides, run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recommender.configuration import Setup
    from recommender.trained_directory import TrainedDirectory
    from recommender.training import Epoch
    from recommender.training.distributed import Ranks

_RUNS = Path("runs")


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m recommender.train",
        description="Train the recommender of a scenario, without an audience. For data parallel training start it as "
        "torchrun --nproc-per-node N -m recommender.train ...",
        epilog="Exit codes: 0 done; 2 usage, scenario or data error; 130 interrupted.",
    )
    begin = options.add_mutually_exclusive_group(required=True)
    begin.add_argument(
        "scenario", nargs="?", type=Path, help="scenario file, such as scenarios/cold_start.yaml"
    )
    begin.add_argument("--resume", type=Path, metavar="DIR", help="go on with a training that was stopped")
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to make (default: runs/NAME-TIME-ID)"
    )
    add_overrides(options)
    options.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="also write loss and metrics for TensorBoard"
    )
    options.add_argument(
        "--json",
        action="store_true",
        help="print path and contents of training.json on standard output, all else on standard error",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    options = parser().parse_args(arguments)
    if options.resume and options.out:
        parser().error("--resume goes on in its own folder; leave --out out")
    return run_command(
        lambda: _train(options), "interrupted; what the last epoch left can be gone on with: --resume DIR"
    )


def _train(options: argparse.Namespace) -> None:
    from recommender.configuration import Setup
    from recommender.pipeline import (
        build_recommender,
        check_recommender,
        describe,
        prepare_data,
        train_recommender,
    )
    from recommender.stages import Stages, plain_console
    from recommender.trained_directory import TrainedDirectory, require_begun, write_json, write_text
    from recommender.training import pick_device, save
    from recommender.training.distributed import launched_by_torchrun
    from scenarios.reading import dump, read

    resumed = TrainedDirectory(require_begun(options.resume)) if options.resume else None
    setup = read(Setup, resumed.scenario if resumed else options.scenario, options.overrides)
    check_recommender(setup)
    with launched_by_torchrun(pick_device(setup.recommender.device).type == "cuda") as ranks:
        console = plain_console(stderr=True, quiet=not ranks.first)
        if setup.model_extra:
            console.print(f"not read here: {', '.join(setup.model_extra)}", highlight=False)
        stages = Stages(console)
        with stages.stage("data"):
            prepared = prepare_data(setup)
        directory = _directory(options.out, resumed, setup, ranks)
        console.print(f"folder: {directory.path}", highlight=False, soft_wrap=True)
        with stages.stage("features") as advance:
            built = build_recommender(setup, prepared, advance)
        with (
            stages.stage("training") as advance,
            _scalars(options.tensorboard if ranks.first else None) as watch,
        ):
            log = train_recommender(setup, prepared, built, advance, directory.checkpoint, watch)
        if not ranks.first:
            return
        # What a resumed training was changed to is its scenario once its checkpoint has been found to fit it.
        write_text(directory.scenario, dump(setup))
        with stages.stage("evaluation"):
            told = describe(setup, prepared, built, log, directory.candidates)
        save(built.model, directory.weights)
        write_json(directory.training, told)
        directory.checkpoint.unlink(missing_ok=True)
    found = told["full_ranking"]["test"]
    print(
        f"{told['model']} on {told['data']}: {len(log.epochs)} epochs ({log.execution}), best {log.best}; test HR@10 "
        f"{found['hr@10']:.4f}, NDCG@10 {found['ndcg@10']:.4f}, HR@50 {found['hr@50']:.4f}, NDCG@50 {found['ndcg@50']:.4f}",
        file=sys.stderr,
    )
    if options.json:
        print(json.dumps({"path": str(directory.training), "training": told}, ensure_ascii=False))
    else:
        print(directory.path)


def _directory(
    out: Path | None, resumed: TrainedDirectory | None, setup: Setup, ranks: Ranks
) -> TrainedDirectory:
    """The folder of this training: the one it was begun in, or a new one that the first rank makes."""
    from recommender.trained_directory import DirectoryError, TrainedDirectory, write_text
    from scenarios.reading import dump

    if resumed is None:
        made = TrainedDirectory.create(out, _RUNS, setup.name) if ranks.first else TrainedDirectory(_RUNS)
        directory = TrainedDirectory(Path(ranks.agree(str(made.path))))
    elif resumed.training.exists():
        raise DirectoryError(
            f"{resumed.path}: this training is complete; see python -m recommender.evaluate {resumed.path}"
        )
    else:
        directory = resumed
    if ranks.first and not directory.checkpoint.exists():
        write_text(directory.scenario, dump(setup))
    return directory


@contextmanager
def _scalars(folder: Path | None) -> Iterator[Callable[[Epoch], None]]:
    """A callback that writes what an epoch brought for TensorBoard, if a folder is given."""
    if folder is None:
        yield lambda epoch: None
        return
    from recommender.models import ModelError

    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ModelError(
            f"--tensorboard needs tensorboard, which cannot be imported ({error}); install it with: "
            "pip install 'screentest[tensorboard]'"
        ) from error
    with SummaryWriter(str(folder)) as writer:

        def write(epoch: Epoch) -> None:
            writer.add_scalar("loss/train", epoch.loss, epoch.number)
            writer.add_scalar("seconds/epoch", epoch.seconds, epoch.number)
            if epoch.ndcg is not None:
                writer.add_scalar("ndcg@10/validation", epoch.ndcg, epoch.number)
            writer.flush()

        yield write


if __name__ == "__main__":
    sys.exit(main())
