"""Whether a run's manifest agrees with its scenario, its templates and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prompts import Domain, TemplateError
from recommender.pipeline import prepare_data
from simulator.audience import make_script
from simulator.scenario import ScenarioError, arms_of, load
from simulator.transcript.manifest import recorded_arms, text_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.scenario import Arm, Scenario
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.verification import Verification

_RESTORE = "restore the file from a copy"


def check_provenance(run: RunDirectory, manifest: Mapping[str, Any], found: Verification) -> Scenario | None:
    """Add to `found` whether the hashes of the manifest hold; the scenario, or None if it cannot be read."""
    before = len(found.faults)
    try:
        hashes = manifest["hashes"]
        recorded = {
            "scenario": hashes["scenario"],
            "data": hashes["data"],
            "prompts": dict(hashes["prompts"]),
        }
        prompts = {arm.name: arm.prompts for arm in recorded_arms(manifest).values()}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        found.fault(run.manifest, None, f"it lacks the hashes of a manifest ({error!r}); {_RESTORE}")
        return None
    text = run.scenario.read_bytes().decode("utf-8", "replace")
    if text_hash(text) != recorded["scenario"]:
        found.fault(
            run.scenario, None, f"it is not the scenario that {run.manifest.name} has the hash of; {_RESTORE}"
        )
    found.hold(before, f"{run.scenario.name}: fits its hash in {run.manifest.name}")
    try:
        scenario = load(run.scenario)
    except ScenarioError as error:
        found.faults.append(f"{error}; {_RESTORE}, or use the version that made the run")
        return None
    # A run of before has none: all items were movies then.
    words = Domain(**manifest["domain"]) if "domain" in manifest else None
    for arm in arms_of(scenario):
        _check_templates(arm, prompts.get(arm.name, {}), words, found)
    _check_data(scenario, recorded["data"], run, found)
    return scenario


def _check_templates(
    arm: Arm, recorded: Mapping[str, str], words: Domain | None, found: Verification
) -> None:
    whose = f" of arm {arm.name!r}" if arm.name else ""
    try:
        now = make_script(arm.scenario, words).hashes()
    except TemplateError as error:
        found.notes.append(f"templates{whose}: not checked, they are not here ({error})")
        return
    changed = [name for name in {**now, **recorded} if now.get(name) != recorded.get(name)]
    if changed:
        found.notes.append(
            f"templates{whose}: {', '.join(changed)} differ here from those of the run; a replay needs those of the run"
        )
    else:
        found.checked.append(f"templates{whose}: {len(now)} are those of the run")


def _check_data(scenario: Scenario, recorded: str, run: RunDirectory, found: Verification) -> None:
    if scenario.data.source != "embedded":
        found.notes.append("data: not checked, they are no part of a run; a replay compares their hash")
    elif prepare_data(scenario).fingerprint != recorded:
        found.fault(
            run.manifest,
            None,
            "its hash of the data is not that of the embedded data of the scenario: the file was changed "
            f"({_RESTORE}), or another version generates other data",
        )
    else:
        found.checked.append("data: the embedded data of the scenario have the hash of the run")
