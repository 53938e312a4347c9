"""Whether a run may be gone on with as asked, and what of its record still stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.scenario import ScenarioError
from simulator.scenario.plan import VALIDATION_ROUND
from simulator.transcript.leaves import leaves
from simulator.transcript.proposals import resumed_proposals, write_proposals
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agents.llm import Endpoint
    from simulator.scenario import Scenario
    from simulator.study import Study
    from simulator.transcript.journal import CallJournal

_MAY_CHANGE = (
    "data.path",  # the same data elsewhere: their hash is compared
    "data.texts",
    "data.images",
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
)
"""What says how calls are sent or where things lie, never what is asked or counted."""


def check_same_scenario(stored: Scenario, now: Scenario, where: Path) -> None:
    """ScenarioError naming the first key in which `now` contradicts the scenario that the run was begun with."""
    then = dict(leaves(stored.model_dump(mode="json")))
    for key, value in leaves(now.model_dump(mode="json")):
        if then.get(key) != value and not any(f"{key}.".startswith(f"{free}.") for free in _MAY_CHANGE):
            raise ScenarioError(
                f"{where}: the run was begun with {key} = {then.get(key)!r}, and {value!r} is asked for now. A run is "
                "gone on with as it was begun; start a new one to change this (its answers can be used again: --record)"
            )


def check_same_run(manifest: Mapping[str, Any], study: Study, endpoint: Endpoint, where: Path) -> None:
    """ScenarioError or TranscriptError if data, prompts or endpoint are no longer those of the run."""
    study.check_data(manifest, where)
    for name, digest in study.script.hashes().items():
        if manifest["hashes"]["prompts"].get(name) != digest:
            raise TranscriptError(
                f"{where}: template {name!r} has changed since the run was begun, so that its answers would be paid for "
                "again; restore the template, or start a new run"
            )
    begun = manifest["endpoint"]
    if (begun["provider"], begun["base_url"]) != (endpoint.provider, endpoint.base_url):
        raise TranscriptError(
            f"{where}: the run was begun with {begun['provider']} at {begun['base_url'] or 'this process'}, not "
            f"{endpoint.provider} at {endpoint.base_url or 'this process'}; start a new run"
        )


def drop_stale_proposals(path: Path, journal: CallJournal) -> None:
    """Take out proposals that rest on calls which had failed, before those are made again.

    A user's later slates depend on what it accepted before, and all later slates on the weight that the validation
    turns choose.
    """
    failed = [record.request.draw for record in journal.records() if record.completion is None]
    proposals = resumed_proposals(path)
    if not proposals or not failed:
        return
    first_test_round = VALIDATION_ROUND + 1
    last: dict[str, int] = {}
    for draw in failed:
        last[draw.user] = max(first_test_round, min(draw.round, last.get(draw.user, draw.round)))
    weight_may_change = any(draw.round == VALIDATION_ROUND for draw in failed)
    write_proposals(
        path,
        (
            proposal
            for proposal in proposals.values()
            if proposal.round <= last.get(proposal.user_id, proposal.round)
            and (proposal.round <= first_test_round or not weight_may_change)
        ),
    )
