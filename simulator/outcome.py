"""What came of a run: turns, metrics and summary, written to its directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recommender.stages import peak_mib
from recommender.trained_directory import read_json, whole_file, write_json
from simulator.measures.asking import asking
from simulator.measures.audience import calls, replies
from simulator.measures.ranking import paired_differences, per_user, summarise
from simulator.refinement import Fuse
from simulator.sending import cost_told
from simulator.transcript.turns import write_turns

if TYPE_CHECKING:
    from agents.llm import Budget
    from recommender.stages import Stages
    from simulator.game import Game
    from simulator.scenario import Scenario
    from simulator.study import Study
    from simulator.transcript.directory import RunDirectory


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    directory: RunDirectory
    scenario: Scenario
    summary: dict[str, Any]
    metrics: dict[str, Any]
    was_complete: bool = False
    """It had ended before: nothing was done now."""

    @property
    def failed_share(self) -> float:
        """Share of planned turns whose answer could not be used."""
        played = self.summary["replies"].values()
        failed, planned = (sum(entry[name] for entry in played) for name in ("fallback", "planned"))
        return float(failed / planned)


def measured(
    study: Study,
    directory: RunDirectory,
    manifest: dict[str, Any],
    game: Game,
    budget: Budget | None,
    stages: Stages,
) -> Outcome:
    """Play a game, and write down what came of it; the summary last, which says that the run is complete."""
    scenario = study.scenario
    refinement, chosen = game.play_all()
    with stages.stage("metrics"):
        write_turns(directory.turns, game.turns)
        tested = [turn for turn in game.turns if turn.phase == "test"]
        table = per_user(tested, scenario.cutoffs)
        with whole_file(directory.per_user) as file:
            table.to_parquet(file, index=False)
        metrics = summarise(table, scenario.seed)
        write_json(directory.metrics, metrics)
    used = calls(game.records)
    summary = {
        "data": study.label,
        "client": manifest["client"],
        "recommender": read_json(directory.training),
        "steps": [asdict(step) for step in study.prepared.split.steps],
        "skipped": [asdict(skipped) for skipped in study.prepared.split.dataset.skipped],
        "refinement": {
            "policy": scenario.refinement.policy,
            "weight": refinement.weight if isinstance(refinement, Fuse) else None,
            "validation_turns": chosen.turns if chosen else 0,
            "curve": chosen.curve if chosen else [],
        },
        "differences": paired_differences(table, scenario.seed),
        "replies": replies(game.turns),
        "asking": asking(game.turns, game.records),
        "calls": used,
        "cost": None if manifest["replay_of"] else cost_told(budget),
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
        "peak_mib": round(peak_mib(), 1),
    }
    write_json(directory.manifest, {**manifest, "models_returned": used["models"]})
    write_json(directory.summary, summary)
    return Outcome(directory, scenario, summary, metrics)
