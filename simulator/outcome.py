"""What came of a run: turns, metrics and summary, written to its directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recommender.stages import peak_mib
from recommender.trained_directory import read_json, whole_file, write_json
from simulator.measures import fidelity
from simulator.measures.arms import compared
from simulator.measures.asking import asking
from simulator.measures.audience import calls, replies
from simulator.measures.injection import Planted
from simulator.measures.meters import Meters
from simulator.measures.per_user import per_user
from simulator.measures.ranking import paired_differences, summarise
from simulator.measures.sessions import Sessions, told_of_sessions
from simulator.measures.verdict import QUESTION, verdicts
from simulator.refinement import Fuse
from simulator.scenario.declared import declared
from simulator.scenario.plan import populations
from simulator.sending import cost_told
from simulator.transcript.items import catalogue_of, items_of, popularity_of, write_items
from simulator.transcript.turns import write_turns
from simulator.transcript.users import people_of, write_users

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from agents.llm import Budget
    from recommender.stages import Stages
    from simulator.game import Game, Played
    from simulator.measures.sessions import Catalogue
    from simulator.scenario import Scenario
    from simulator.study import Condition, Study
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.manifest import RecordedArm
    from simulator.transcript.turns import Turn


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
    arms: Sequence[RecordedArm],
    game: Game,
    budgets: Sequence[Budget],
    stages: Stages,
) -> Outcome:
    """Play a game, and write down what came of it; the summary last, which says that the run is complete."""
    scenario = study.scenario
    played = game.play_all()
    with stages.stage("metrics"):
        write_turns(directory.turns, game.turns)
        tested = [turn for turn in game.turns if turn.phase == "test"]
        items = items_of(game.turns, study.prepared.split)
        write_items(directory.items, items)
        meters = Meters(popularity_of(items))
        planted = Planted()
        sessions, catalogue = _sessions(study, directory, items)
        table = per_user(sessions.watched(planted.watched(meters.watched(tested))), scenario)
        with whole_file(directory.per_user) as file:
            table.to_parquet(file, index=False)
        metrics = summarise(table, scenario.seed)
        write_json(directory.metrics, metrics)
    used = calls(game.records)
    summary = {
        "data": study.label,
        **_told_of_arms(study, directory, arms, played),
        "steps": [asdict(step) for step in study.prepared.split.steps],
        "skipped": [asdict(skipped) for skipped in study.prepared.split.dataset.skipped],
        "differences": paired_differences(table, scenario.seed),
        "fidelity": _fidelity(tested, table, scenario),
        **(compared(table, declared(scenario), scenario.seed) if study.compares else {}),
        "meters": meters.told(scenario.seed),
        "injection": planted.told(declared(scenario).references if study.compares else {}, scenario.seed),
        **told_of_sessions(sessions, scenario, catalogue),
        "replies": replies(game.turns),
        "asking": asking(game.turns, game.records),
        "calls": used,
        "cost": None if manifest["replay_of"] else cost_told(budgets),
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
        "peak_mib": round(peak_mib(), 1),
    }
    write_json(directory.manifest, {**manifest, "models_returned": used["models"]})
    write_json(directory.summary, summary)
    return Outcome(directory, scenario, summary, metrics)


def _sessions(study: Study, directory: RunDirectory, items: pd.DataFrame) -> tuple[Sessions, Catalogue]:
    """What watches the world over rounds; writes down who its users are."""
    scenario, split, audience = study.scenario, study.prepared.split, study.conditions[0].audience
    people = people_of(split, audience.users, audience.newcomers)
    write_users(directory.users, people, study.label)
    catalogue = catalogue_of(items, len(split.dataset.items), len(split.train))
    return Sessions(catalogue, people, populations(scenario), scenario.seed, scenario.rounds), catalogue


def _told_of_arms(
    study: Study, directory: RunDirectory, arms: Sequence[RecordedArm], played: Mapping[str, Played]
) -> dict[str, Any]:
    """Who answered, what proposed, and how answers were used: at the top of a summary, or by arm where there are arms."""
    told = {
        condition.name: {
            "client": arm.client,
            "recommender": read_json(directory.trained(arm.recommender).training),
            "refinement": _refined(condition, played[condition.name]),
        }
        for condition, arm in zip(study.conditions, arms, strict=True)
    }
    return {"arms": told} if study.compares else told[study.conditions[0].name]


def _refined(condition: Condition, played: Played) -> dict[str, Any]:
    refinement, chosen = played.refinement, played.chosen
    return {
        "policy": condition.scenario.refinement.policy,
        "weight": refinement.weight if isinstance(refinement, Fuse) else None,
        "validation_turns": chosen.turns if chosen else 0,
        "curve": chosen.curve if chosen else [],
    }


def _fidelity(turns: Sequence[Turn], table: pd.DataFrame, scenario: Scenario) -> dict[str, Any] | None:
    """What slates of held-out items say of the audience; None of slates that were proposed."""
    if scenario.slates.source != "held_out":
        return None
    return {
        "question": QUESTION,
        "verdicts": {arm: verdict.as_dict() for arm, verdict in verdicts(table, scenario.seed).items()},
        "by_rating": fidelity.acceptance_by_rating(turns, scenario.seed),
    }
