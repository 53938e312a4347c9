"""LiveWorld: the world of a run, that can be begun anew from what a page chooses and be watched while it is asked."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mesa

from simulator.cast import Casting, Rules
from simulator.experiment import MISTAKES, Halt
from simulator.live.stage import StageClosedError
from simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.llm import Record, Request
    from simulator.cast import Waiting
    from simulator.live.session import Session
    from simulator.transcript.turns import Turn

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far the calls of a round are."""

    planned: int
    ended: int
    failed: int


@dataclass(frozen=True)
class Exchange:
    """What is known of one user's round by now."""

    user_id: str
    round: int
    titles: Mapping[str, str]
    """What the user is told that the items of its slate are called, by item id, best first as they were proposed."""
    requests: tuple[Request, ...]
    records: tuple[Record | None, ...]
    """Of each request; None until its call has ended."""
    turn: Turn | None
    """What came of it, once the round is settled."""


class LiveWorld(World):
    """A world over the arm, users and rules that its keywords say; SolaraViz makes a new one of them at each reset.

    A step plays one round on the session's one thread, and tells `tell` now and then while it waits. A mistake that a user can mend,
    a cap that is reached, an endpoint that refuses, or a fault ends the world: it stands in `error`, and `running` is false.
    """

    def __init__(
        self,
        *,
        session: Session,
        tell: Callable[[], None],
        arm: str,
        users: int,
        shown: int,
        weight: float | None = None,
        noise: float | None = None,
    ) -> None:
        condition = session.condition(arm)
        study, scenario = session.study, condition.scenario
        casting = Casting(
            members=session.members(arm, users),
            phase="test",
            titles=session.titles,
            script=condition.script,
            nulls={},
            rules=Rules(shown, session.refinement(arm, weight), scenario.refinement.repair, scenario.seed),
            labels=(study.label, session.lineup.labels[condition.name]),
            names=session.names(arm),
            planting=study.plantings.get(condition.name),
        )
        proposer = session.proposers[condition.name]
        super().__init__(casting, proposer, self._asked_live, population=scenario.population)
        self.datacollector = mesa.DataCollector(
            model_reporters={
                **self.datacollector.model_reporters,
                "failed_share": lambda world: (
                    sum(turn.fallback for turn in world.latest) / max(1, len(world.latest))
                ),
            }
        )
        self.arm, self.shown = arm, shown
        self.weight = weight if scenario.refinement.policy == "fuse" else None
        self.noise = noise if scenario.users.client == "standin" else None
        self.users = tuple(dict.fromkeys(member.user_id for member in casting.members))
        self.newcomers = sum(member.newcomer for member in casting.members)
        """Of the users, how many join later."""
        self.audience = session.lineup.labels[condition.name]
        self.data = study.label
        self.error: str | None = None
        """Why it can go on no further, where that is a mistake."""
        self.over: str | None = None
        """Why there is nothing more to play."""
        self.progress: Progress | None = None
        """Of the calls, while a round is played."""
        self.running: bool = True
        self._session, self._tell, self._condition, self._noise = session, tell, condition.name, noise
        self._only_round = scenario.slates.source == "held_out"
        self._left = threading.Event()
        self._records: dict[tuple[str, int], Record] = {}
        self._told_of = -1
        self._exchanges: list[Waiting] = []

    def leave(self) -> None:
        """Nobody looks any more: the next step plays nothing."""
        self._left.set()

    def step(self) -> None:
        """One round, played on the session's thread."""
        if self._left.is_set() or not self.running:
            self.running = False
            return
        try:
            self._session.stage.play(self._look, self._play)
        except (Halt, StageClosedError, *MISTAKES) as error:
            self.error = "\n".join([str(error), *getattr(error, "__notes__", ())])
            self.running = False
        except Exception as error:  # noqa: BLE001 - told on the page and logged
            # A fault of the program, or of a policy or client of one's own. Raised, it would take the whole page away.
            _log.exception("the round ended in a fault")
            self.error = f"{type(error).__name__}: {error} (its traceback is on the terminal)"
            self.running = False
        finally:
            self.progress = None

    def observe(self, most: int | None = None) -> list[Request]:
        """What all users are asked; what is shown of the round before is no longer shown."""
        self.latest, self._records, self._exchanges = [], {}, []
        requests = super().observe(most)
        self._exchanges = self.waiting()
        return requests

    def exchange(self, user: str) -> Exchange | None:
        """The latest round of a user; None where it had no part in it, and before the first."""
        for proposal, titles, requests in self._exchanges:
            if proposal.user_id == user:
                records = tuple(self._records.get((user, number)) for number in range(len(requests)))
                turn = next((turn for turn in self.latest if turn.user_id == user), None)
                return Exchange(user, proposal.round, titles, requests, records, turn)
        return None

    def _play(self) -> None:
        if not self.round:
            self._session.lineup.renew()
        super().step()
        if self.reflects(self.round):
            self.summed_up(self._asked_live(self.reflect()))
        if self._only_round:
            self.over = "Slates of held-out items are shown once: this was the only round."
        elif any(len(turn.slate) < 2 * self.shown for turn in self.latest):
            self.over = "The catalogue runs out: some users have had almost everything that can be proposed."
        self.running = self.over is None

    def _asked_live(self, requests: Sequence[Request]) -> list[Record]:
        ended = failed = 0
        self.progress = Progress(len(requests), 0, 0)

        def note(record: Record) -> None:
            nonlocal ended, failed
            ended += 1
            failed += record.completion is None
            draw = record.request.draw
            self._records[draw.user, draw.part] = record
            self.progress = Progress(len(requests), ended, failed)

        return self._session.lineup.ask(self._condition, self._noise, requests, note)

    def _look(self) -> None:
        """Tell of what is new, if anything is."""
        progress = self.progress
        seen = -1 if progress is None else progress.ended
        if seen != self._told_of:
            self._told_of = seen
            self._tell()
