"""From a finished run to its case study: the turns, the calls, and the recommender as it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recommender.data.histories import Histories
from recommender.evaluation import item_vectors
from recommender.insight import insights
from recommender.interests import interest_collapse
from recommender.models import configure, model_class
from recommender.models.uim import UiM
from recommender.pipeline import reopen
from recommender.trained_directory import read_json
from recommender.truncation import history_profile, truncated
from simulator.case_study.agreement import agreement
from simulator.case_study.cases import CaseStudy, Spread
from simulator.case_study.choosing import MOST_COMPARED, RULE, most_different
from simulator.case_study.telling import Catalogue, case_of
from simulator.resuming import check_same_scenario
from simulator.scenario import ScenarioError, arms_of, load
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal
from simulator.transcript.manifest import recorded_arms
from simulator.transcript.tested import require_user, tested_turns
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from recommender.insight import Insight
    from recommender.pipeline import Trained
    from simulator.scenario import Arm
    from simulator.transcript.turns import Turn

_MOST_MEASURED = 200
"""Users whose interests are held against the whole catalogue."""


class CaseStudyError(ValueError):
    """A run has nothing that a case study could show; the message says why, and which run would."""


@dataclass(frozen=True)
class Asked:
    """What is wanted of a run."""

    users: tuple[str, str] | None = None
    """Ids, as the data have them; None: chosen by `simulator.case_study.choosing`."""
    arm: str | None = None
    """The name under which turns are recorded; None: the run's first."""
    overrides: tuple[str, ...] = ()
    """Of the scenario, which may say where data lie and what computes, and change nothing that was asked."""


def case_study(path: Path, asked: Asked) -> CaseStudy:
    """Of the finished run in `path`, whose recommender is a UiM with the profile.

    CaseStudyError for another recommender, for held-out slates and for a run without its weights; TranscriptError for users, arms
    and runs that there are not; ScenarioError or DataError for other data.
    """
    run = RunDirectory.open(path)
    scenario = load(run.scenario, asked.overrides)
    # On which device a recommender computes changes nothing that was asked; here there may be none such as trained it.
    elsewhere = [override for override in asked.overrides if override.startswith("recommender.device=")]
    check_same_scenario(load(run.scenario, elsewhere), scenario, run.scenario)
    turns = tested_turns(run, asked.arm)
    arm = next((each for each in arms_of(scenario) if turns[0].arm in each.lengths), None)
    if arm is None:
        raise ScenarioError(f"{run.scenario}: it has no arm that is recorded as {turns[0].arm!r}")
    _check(run, arm)
    for user in asked.users or ():
        require_user(run, turns, user)
    first = _first_round(turns)
    if asked.users is not None and asked.users[0] == asked.users[1]:
        raise CaseStudyError(
            f"user {asked.users[0]!r} is named twice; a case study holds two against each other"
        )
    if len(first) < 2:
        raise CaseStudyError(f"{run.turns}: one user was simulated, and a case study is of two")
    place = run.trained(recorded_arms(read_json(run.manifest))[arm.name].recommender)
    if not place.weights.is_file():
        raise CaseStudyError(
            f"{place.weights}: no such file; a replayed or imported run may keep no recommender: take the run that was replayed"
        )
    return _told(run, arm, first, reopen(place, asked.overrides), asked)


def _check(run: RunDirectory, arm: Arm) -> None:
    """CaseStudyError where the scenario says already that there is nothing to show."""
    chosen = arm.scenario.recommender
    if arm.scenario.slates.source == "held_out":
        raise CaseStudyError(
            f"{run.path}: its slates are held-out items (slates.source: held_out), which no recommender proposed: there are no "
            "interests to show; take a run with slates.source: recommender"
        )
    model = model_class(chosen.model)
    if not issubclass(model, UiM):
        raise CaseStudyError(
            f"{run.path}: its recommender is {chosen.model}, and a case study shows the interests and profile weights of UiM; take "
            "a run, or an arm (--arm), with recommender.model: uim"
        )
    if not configure(model.Config, chosen.params, chosen.model).profile:
        raise CaseStudyError(
            f"{run.path}: its {chosen.model} was built without the profile (recommender.params.profile: false), and has no "
            "profile weights"
        )


def _first_round(turns: Sequence[Turn]) -> dict[str, Turn]:
    """By user: later rounds are served with what was accepted before, which is no history of a person."""
    found: dict[str, Turn] = {}
    for turn in turns:
        if turn.replicate == 0 and (turn.user_id not in found or turn.round < found[turn.user_id].round):
            found[turn.user_id] = turn
    return found


def _told(
    run: RunDirectory, arm: Arm, turns: Mapping[str, Turn], trained: Trained, asked: Asked
) -> CaseStudy:
    split, labels = trained.prepared.split, trained.prepared.labels
    recorded = next(iter(turns.values()))
    length = arm.lengths[recorded.arm]
    whole = split.history("test")
    row = {user: number for number, user in enumerate(split.dataset.users["user_id"])}
    if missing := [user for user in turns if user not in row]:
        raise TranscriptError(f"{run.turns}: user {missing[0]!r} is not in the data of the run")
    profile = history_profile(labels, split, whole, length)
    users = np.array([row[user] for user in turns], dtype=np.int64)
    history = Histories.of(truncated(whole, length), len(row))
    found = insights(trained.model, users, history, profile)
    names = tuple(turns)
    pair = asked.users or tuple(names[place] for place in most_different(found))
    fields = tuple(field.name for field in labels.fields)
    vectors = item_vectors(trained.model)
    catalogue = Catalogue(split.dataset.items, vectors)
    with CallJournal(run.calls, "read") as journal:
        cases = tuple(
            case_of(
                turns[user],
                found[names.index(user)],
                {
                    field.name: field.labels[label]
                    for field, label in zip(labels.fields, profile[row[user]].tolist(), strict=True)
                },
                catalogue,
                journal,
            )
            for user in pair
        )
    measured = np.stack([each.interests for each in found[:_MOST_MEASURED]])
    return CaseStudy(
        data=recorded.data,
        client=recorded.client,
        model=arm.scenario.recommender.model,
        arm=recorded.arm,
        n=arm.scenario.n,
        chosen_by="named" if asked.users else _rule(len(found)),
        users=len(found),
        fields=fields,
        population=_population(found, fields),
        use=None
        if measured.shape[1] == 1
        else interest_collapse(torch.from_numpy(measured), torch.from_numpy(vectors)),
        use_over=len(measured),
        agreement=agreement(found, catalogue.genres),
        score_distance=max(
            (
                abs(max(candidate.likes) - candidate.score)
                for case in cases
                for candidate in case.candidates
                if not candidate.planted
            ),
            default=0.0,
        ),
        cases=cases,
    )


def _rule(users: int) -> str:
    among = "" if users <= MOST_COMPARED else f", of the first {MOST_COMPARED:,}"
    return f"{RULE}{among}"


def _population(found: Sequence[Insight], fields: Sequence[str]) -> tuple[dict[str, Spread], ...]:
    weights = np.stack([each.weights for each in found]).astype(np.float64)
    mean, sd = weights.mean(0), weights.std(0, ddof=1)
    return tuple(
        {name: Spread(float(mean[k, n]), float(sd[k, n])) for n, name in enumerate(fields)}
        for k in range(weights.shape[1])
    )
