"""What came of a run: turns, metrics and summary, written to its directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from recommender.stages import peak_mib
from recommender.trained_directory import read_json, whole_file, write_json
from simulator.measures import fidelity
from simulator.measures.arms import compared
from simulator.measures.asking import Asking
from simulator.measures.audience import Calls, Replies
from simulator.measures.injection import Planted
from simulator.measures.meters import Meters
from simulator.measures.per_user import per_user
from simulator.measures.ranking import paired_differences, summarise
from simulator.measures.sessions import Sessions, told_of_sessions
from simulator.measures.traffic import SharedTraffic
from simulator.measures.verdict import QUESTION, verdicts
from simulator.refinement import Fuse
from simulator.scenario import ScenarioError
from simulator.scenario.declared import declared
from simulator.scenario.plan import populations
from simulator.sending import cost_told
from simulator.transcript.directory import CHALLENGERS
from simulator.transcript.items import catalogue_of, items_of, popularity_of, write_items
from simulator.transcript.turns import TranscriptError, TurnWriter, read_turns
from simulator.transcript.users import people_of, write_users

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from agents.llm import Budget, Record
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
    scenario, split = study.scenario, study.prepared.split
    asked, used = Asking(), Calls()
    with TurnWriter(directory.turns) as writer:
        played = game.play_all(_Gathered(writer, asked, used))
    with stages.stage("metrics"):
        items = items_of(split)
        catalogue = catalogue_of(items, len(split.dataset.items), len(split.train))
        watching = _Watching(
            Replies(),
            Meters(popularity_of(items)),
            Planted(),
            _sessions(study, directory, catalogue),
            None if scenario.traffic is None else SharedTraffic(scenario.traffic),
            set(),
        )
        # From the file, as anybody could: no number rests on what the file does not say, and no run on the memory for its turns.
        tested = watching.tested(read_turns(directory.turns))
        kept = list(tested) if scenario.slates.source == "held_out" else []
        table = per_user(kept or tested, scenario)
        if table.empty:
            raise ScenarioError(
                f"{directory.scenario}: nobody came to any round, so that there is nothing to measure; begin a "
                "run with more population.activity, users.count or rounds"
            )
        write_items(directory.items, items[items.index.isin(list(watching.offered))])
        with whole_file(directory.per_user) as file:
            table.to_parquet(file, index=False)
        metrics = summarise(table, scenario.seed)
        write_json(directory.metrics, metrics)
    summary = {
        "data": study.label,
        **_told_of_arms(study, directory, arms, played),
        "steps": [asdict(step) for step in study.prepared.split.steps],
        "skipped": [asdict(skipped) for skipped in study.prepared.split.dataset.skipped],
        "differences": paired_differences(table, scenario.seed),
        "fidelity": _fidelity(kept, table, scenario),
        **(compared(table, declared(scenario), scenario.seed) if study.compares else {}),
        "meters": watching.meters.told(scenario.seed),
        "injection": watching.planted.told(
            declared(scenario).references if study.compares else {}, scenario.seed
        ),
        **(told_of_sessions(watching.sessions, scenario, catalogue) if watching.sessions else {}),
        **({"traffic": _traffic(watching.shared, study, directory)} if watching.shared else {}),
        "replies": watching.replies.told(),
        "asking": asked.told(),
        "calls": used.told(),
        "cost": None if manifest["replay_of"] else cost_told(budgets),
        "seconds": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
        "peak_mib": round(peak_mib(), 1),
    }
    write_json(directory.manifest, {**manifest, "models_returned": used.told()["models"]})
    write_json(directory.summary, summary)
    return Outcome(directory, scenario, summary, metrics)


class _Gathered(NamedTuple):
    """What needs the calls of turns beside them, as they come."""

    writer: TurnWriter
    asking: Asking
    calls: Calls

    def add(self, turns: Sequence[Turn], records: Sequence[Record]) -> None:
        self.writer.write(turns)
        self.asking.add(turns, records)
        self.calls.add(records)


class _Watching(NamedTuple):
    """What is measured of turns as they pass."""

    replies: Replies
    meters: Meters
    planted: Planted
    sessions: Sessions | None
    shared: SharedTraffic | None
    offered: set[str]
    """Items of all slates."""

    def tested(self, turns: Iterable[Turn]) -> Iterator[Turn]:
        """Those of the test; each is measured as it passes."""
        for turn in turns:
            self.replies.add(turn)
            self.offered.update(turn.slate)
            if turn.phase == "test":
                self.meters.add(turn)
                self.planted.add(turn)
                if self.sessions is not None:
                    self.sessions.add(turn)
                if self.shared is not None:
                    self.shared.add(turn)
                yield turn


def _sessions(study: Study, directory: RunDirectory, catalogue: Catalogue) -> Sessions | None:
    """What watches a world of several rounds; writes down who its users are."""
    scenario, audience = study.scenario, study.conditions[0].audience
    people = people_of(study.prepared.split, audience.users, audience.newcomers)
    write_users(directory.users, people, study.label)
    if scenario.rounds == 1:
        return None
    return Sessions(catalogue, people, populations(scenario), scenario.seed, scenario.rounds)


def _traffic(shared: SharedTraffic, study: Study, directory: RunDirectory) -> dict[str, Any]:
    """What came of shared traffic, and how each challenger was trained."""
    names = list(study.scenario.traffic.challengers) if study.scenario.traffic else []
    trained = [read_json(each.training) for each in directory.all_challengers()]
    if len(trained) != len(names):
        raise TranscriptError(
            f"{directory.path}: it holds how {len(trained)} of {len(names)} challengers were trained; restore the folder "
            f"{CHALLENGERS} of the run from a copy"
        )
    return {**shared.told(study.scenario.seed), "challengers": dict(zip(names, trained, strict=True))}


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
