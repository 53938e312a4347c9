"""What a live view is about: a scenario with its data read and its recommender trained, from which worlds are made."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from simulator.audience import item_names, make_members
from simulator.live.lineup import Lineup
from simulator.live.stage import Stage
from simulator.recommenders import check_recommenders, make_proposers
from simulator.refinement import Fuse
from simulator.study import Study
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recommender.stages import Stages
    from simulator.cast import Member
    from simulator.proposing import Proposer
    from simulator.refinement import Refinement
    from simulator.scenario import Scenario
    from simulator.sending import Sending
    from simulator.study import Condition

UNCHOSEN_WEIGHT = 0.5
"""Where the scenario leaves the weight to validation turns, which a live view does not play."""
_LAST_SECONDS = 5.0
"""That a round under way may take when the view is stopped."""


@dataclass(frozen=True)
class Choice:
    """What a page lets one choose for a world that begins anew; none of it needs training."""

    arm: str
    """As turns record it: of several history lengths each is one."""
    users: int
    shown: int
    """Places of the final list."""
    weight: float | None
    """Of the answers in fuse; None where the policy has no weight."""
    noise: float | None
    """Of the stand-in; None where no stand-in answers."""


class Session:
    """Everything that worlds of one live view share. Its methods may be called from any thread but where they say otherwise."""

    def __init__(
        self, study: Study, proposers: Mapping[str, Proposer], lineup: Lineup, stage: Stage, directory: Path
    ) -> None:
        self.study, self.lineup, self.stage, self.directory = study, lineup, stage, directory
        self.proposers = proposers
        self._conditions = {name: each for each in study.conditions for name in each.audience.lengths}
        items = study.prepared.split.dataset.items
        self._ids: list[str] = items["item_id"].tolist()
        self.titles: dict[str, str] = dict(zip(self._ids, items["title"], strict=True))
        """By item id."""
        self._told = cache(self._make_told)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of what can be played, as turns record them."""
        return tuple(self._conditions)

    def condition(self, arm: str) -> Condition:
        """What a recorded arm belongs to."""
        return self._conditions[arm]

    def first(self) -> Choice:
        """What the scenario says, of its first arm."""
        scenario = self.study.scenario
        return Choice(
            self.arms[0],
            scenario.users.count,
            scenario.list_length,
            self._first_weight(),
            self._first_noise(),
        )

    def refinement(self, arm: str, weight: float | None) -> Refinement:
        """The policy of an arm; where it is fuse, with this weight."""
        condition = self._conditions[arm]
        if condition.scenario.refinement.policy == "fuse":
            return Fuse(UNCHOSEN_WEIGHT if weight is None else weight)
        assert condition.refinement is not None
        return condition.refinement

    def names(self, arm: str) -> dict[str, str]:
        """What users are told of items, by item id."""
        return self._told(self._conditions[arm].name)[0]

    def members(self, arm: str, users: int) -> list[Member]:
        """The first `users` of an arm, and those who join them later."""
        members = [member for member in self._told(self._conditions[arm].name)[1] if member.arm == arm]
        newcomers = [member for member in members if member.newcomer]
        return [member for member in members if not member.newcomer][:users] + newcomers

    def _make_told(self, name: str) -> tuple[dict[str, str], list[Member]]:
        condition = next(each for each in self.study.conditions if each.name == name)
        prepared = self.study.prepared
        names = item_names(condition.script.family, prepared.split.dataset.items)
        members = make_members(condition.scenario, prepared, condition.audience, "test", names=names)
        return dict(zip(self._ids, names, strict=True)), members

    def _first_weight(self) -> float | None:
        """Of the first arm that fuses."""
        chosen = [each.scenario.refinement for each in self.study.conditions]
        weights = [each.weight for each in chosen if each.policy == "fuse"]
        if not weights:
            return None
        return UNCHOSEN_WEIGHT if weights[0] == "validation" else float(weights[0])

    def _first_noise(self) -> float | None:
        users = [each.scenario.users for each in self.study.conditions]
        return next((each.standin.noise for each in users if each.client == "standin"), None)


@contextmanager
def opened(scenario: Scenario, out: Path | None, stages: Stages, sending: Sending) -> Iterator[Session]:
    """Read the data and train, in the new folder `out` or in a temporary one. Raises one of experiment.MISTAKES."""
    check_recommenders(scenario)
    study = Study.of(scenario, stages)
    with ExitStack() as stack:
        if out is None:
            out = Path(stack.enter_context(TemporaryDirectory(prefix="screentest-live-"))) / "live"
        directory = RunDirectory.create(out, out.parent, scenario.name)
        journal = stack.enter_context(CallJournal(directory.calls, "append", data=study.label))
        lineup = Lineup(study, directory, journal, sending)
        lineup.check(stages)
        # No proposal is written down: they follow from what sliders say, and a run could not be resumed from them.
        proposers = make_proposers(study, directory, None, stages, learns=True)
        stage = Stage()
        try:
            yield Session(study, proposers, lineup, stage, directory.path)
        finally:
            if stage.close(_LAST_SECONDS):
                lineup.close()
