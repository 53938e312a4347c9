"""A user of a finished run as it was at the end: what it had been told and asked, what it said, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from agents.llm import Message
from prompts import Template
from simulator.audience import domain_of, item_names, make_script
from simulator.scenario import ScenarioError, arms_of
from simulator.transcript.journal import CallJournal
from simulator.transcript.tested import require_user, tested_turns
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.data.dataset import Dataset
    from simulator.scenario import Arm, Scenario
    from simulator.transcript.directory import RunDirectory
    from simulator.transcript.turns import Turn


@dataclass(frozen=True)
class Interviewee:
    """One (arm, replicate, user) of a run after its last round."""

    turn: Turn
    """Its last one."""
    arm: Arm
    said: tuple[Message, ...]
    """Its last call, word for word as the journal has it: persona, memory and slate, and the reply. Of a turn of several calls
    the first that was answered."""
    titles: Mapping[str, str]
    """Of the items of its slate, by item id."""

    def opening(self, question: str) -> str:
        """The first question, after what the last round came to: with `said`, all that the user remembers at the end."""
        lists = {"accepted": self.turn.accepted, "rejected": self.turn.rejected, "final": self.turn.final}
        told = {name: "; ".join(self.titles[item] for item in items) for name, items in lists.items()}
        return self._template.render({**told, "question": question})

    @cached_property
    def _template(self) -> Template:
        path = Path(str(files("prompts"))) / "interview.txt"
        return Template.parse(path.read_text(encoding="utf-8").removesuffix("\n"), str(path))


def last_turn(run: RunDirectory, user: str, arm: str | None, replicate: int) -> Turn:
    """The last test turn of a user; `arm` is the name that turns are recorded under, None the first of the run.

    TranscriptError names what there is, where there is no such user, arm or replicate, or where the run is not finished.
    """
    of_arm = tested_turns(run, arm)
    require_user(run, of_arm, user)
    own = [turn for turn in of_arm if turn.user_id == user and turn.replicate == replicate]
    if not own:
        count = len({turn.replicate for turn in of_arm})
        raise TranscriptError(
            f"{run.turns}: no replicate {replicate}; the run has {count}, from 0 to {count - 1}"
        )
    return max(own, key=lambda turn: turn.round)


def recall(run: RunDirectory, scenario: Scenario, turn: Turn, dataset: Dataset) -> Interviewee:
    """The user as `turn`, its last, left it; `dataset` is the run's.

    TranscriptError if no call of that turn was answered, ScenarioError if `scenario` is not the run's.
    """
    arm = next((each for each in arms_of(scenario) if turn.arm in each.lengths), None)
    if arm is None:
        raise ScenarioError(f"{run.scenario}: it has no arm that is recorded as {turn.arm!r}")
    family = make_script(arm.scenario, domain_of(arm.scenario, dataset)).family
    names = dict(zip(dataset.items["item_id"], item_names(family, dataset.items), strict=True))
    with CallJournal(run.calls, "read") as journal:
        for key in turn.requests:
            record = journal.get(key)
            if record is not None and record.completion is not None:
                reply = Message("assistant", record.completion.text)
                said = (*record.request.messages, reply)
                return Interviewee(turn, arm, said, {item: names[item] for item in turn.slate})
    raise TranscriptError(
        f"{run.turns}: user {turn.user_id!r} gave no answer in round {turn.round} ({turn.error}), so there is no decision to ask "
        f"about; ask another user, or make the calls again that failed: python -m simulator.run --resume {run.path} "
        "--retry-errors"
    )
