"""Whether a run may be gone on with as asked, and what of its record still stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.scenario import ScenarioError, arms_of
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.transcript.leaves import leaves
from simulator.transcript.manifest import recorded_arms
from simulator.transcript.proposals import resumed_proposals, write_proposals
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from simulator.scenario import Scenario
    from simulator.study import Study
    from simulator.transcript.journal import CallJournal
    from simulator.transcript.manifest import RecordedArm

_MAY_CHANGE = (
    "data.path",  # the same data elsewhere: their hash is compared
    "data.texts",
    "data.images",
    "users.personas",  # the same file elsewhere: its hash is compared
    "users.api_key_env",
    "users.timeout_s",
    "users.concurrency",
    "users.requests_per_minute",
    "users.tokens_per_minute",
    "users.attempts",
    "users.batch_poll_s",
    "users.prices",
    "users.cache",
    "users.local.slots",
    "users.local.threads",
    "tolerance",
    "engine",
)
"""What says how calls are sent or where things lie, never what is asked or counted."""
_OF_ARMS = {"arms", "sweep"}
"""Compared by what they come to."""
_AS_BEGUN = "A run is gone on with as it was begun; start a new one to change this (its answers can be used again: --record)"


def check_same_scenario(stored: Scenario, now: Scenario, where: Path) -> None:
    """ScenarioError naming the first key in which `now` contradicts the scenario that the run was begun with."""
    _check_same(stored, now, "", where)
    begun, asked = arms_of(stored), arms_of(now)
    names, wanted = ([arm.name for arm in arms] for arms in (begun, asked))
    if names != wanted:
        raise ScenarioError(
            f"{where}: the run was begun with the arms {', '.join(filter(None, names)) or 'none'}, and "
            f"{', '.join(filter(None, wanted)) or 'none'} are asked for now. {_AS_BEGUN}"
        )
    for arm, other in zip(begun, asked, strict=True):
        _check_same(arm.scenario, other.scenario, f" of arm {arm.name!r}" if arm.name else "", where)


def _check_same(stored: Scenario, now: Scenario, whose: str, where: Path) -> None:
    then, asked = (dict(leaves(each.model_dump(mode="json", exclude=_OF_ARMS))) for each in (stored, now))
    for key, value in asked.items():
        if then.get(key) != value and not any(f"{key}.".startswith(f"{free}.") for free in _MAY_CHANGE):
            raise ScenarioError(
                f"{where}: the run was begun with {key} = {then.get(key)!r}{whose}, and {value!r} is asked for now. {_AS_BEGUN}"
            )


def check_same_run(
    manifest: Mapping[str, Any], study: Study, arms: Sequence[RecordedArm], where: Path
) -> None:
    """ScenarioError or TranscriptError if data, or the prompts or endpoints of the `arms` as they are now, are no longer those of
    the run.
    """
    study.check_data(manifest, where)
    recorded = recorded_arms(manifest)
    for arm in arms:
        then, whose = recorded[arm.name], f" of arm {arm.name!r}" if arm.name else ""
        for name, digest in arm.prompts.items():
            if then.prompts.get(name) != digest:
                raise TranscriptError(
                    f"{where}: template {name!r}{whose} has changed since the run was begun, so that its answers would be paid "
                    "for again; restore the template, or start a new run"
                )
        check_personas(then, arm, where)
        begun, now = then.endpoint, arm.endpoint
        if begun != now:
            raise TranscriptError(
                f"{where}: the run was begun with {begun.provider} at {begun.base_url or 'this process'}{whose}, not "
                f"{now.provider} at {now.base_url or 'this process'}; start a new run"
            )


def check_personas(then: RecordedArm, now: RecordedArm, where: Path) -> None:
    """ScenarioError if the personas of an arm are no longer those of its run."""
    if then.personas != now.personas:
        was, is_now = (
            "made of the data" if each is None else f"a file with hash {each[:12]}"
            for each in (then.personas, now.personas)
        )
        raise ScenarioError(
            f"{where}: the personas of the run were {was}, and are {is_now} now; point --set users.personas at the file of the run"
        )


def drop_stale_proposals(path: Path, journal: CallJournal, *, learns: bool) -> None:
    """Take out proposals that rest on calls which had failed, before those are made again.

    A user's later slates depend on what it accepted before, and all later slates on the weight that the validation
    turns choose; where a recommender `learns`, also on what every user accepted before.
    """
    failed = [record.request.draw for record in journal.records() if record.completion is None]
    proposals = resumed_proposals(path)
    if not proposals or not failed:
        return
    first_test_round = VALIDATION_ROUND + 1
    last: dict[str, int] = {}
    for draw in failed:
        last[draw.user] = max(first_test_round, min(draw.round, last.get(draw.user, draw.round)))
    first_failed = min(last.values())
    weight_may_change = any(draw.round == VALIDATION_ROUND for draw in failed)
    write_proposals(
        path,
        (
            proposal
            for proposal in proposals.values()
            if proposal.round <= (first_failed if learns else last.get(proposal.user_id, proposal.round))
            and (proposal.round <= first_test_round or not weight_may_change)
        ),
    )
