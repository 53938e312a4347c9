"""The actors of a run as its driver sees them: dealt to together, begun anew after a death, stopped when one has to stop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agents.llm import Halt
from agents.llm.purse import NOTHING, Spent
from simulator.cluster.keeper import Keeper, KeeperGoneError
from simulator.cluster.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.cluster.shard import Setting
    from simulator.players import Advance

_DEATHS = 3
"""Of one shard in one step: more are no accident."""
_START_SECONDS = 180.0
_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.5


class ActorsError(Halt):
    """The cluster cannot go on with the run."""


class Actors:
    """One actor for each shard, and the keeper of what they share.

    What each was told since a phase began is kept, as references to objects of Ray's store, so that another actor can be brought to
    the same place: it asks nobody again, since the journal of the shard has the answers.
    """

    def __init__(self, ray: Any, setting: Setting, keeper: Any, tell: Callable[[str], None]) -> None:
        """Starts the actors; raises what one raises that cannot begin. `keeper` is None where nothing is limited or paid for."""
        self._ray, self._keeper, self._tell = ray, keeper, tell
        self._setting = ray.put(setting)
        self._shard = ray.remote(concurrency_groups={"control": 1})(Shard)
        self._handles: list[Any] = [None] * setting.actors
        self._lives = [0] * setting.actors
        self._past: list[list[tuple[str, tuple[Any, ...]]]] = [[] for _ in range(setting.actors)]
        try:
            self.places = self._begun([self._start(number) for number in range(setting.actors)])
            """Host and process of each."""
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._handles)

    def put(self, value: object) -> Any:
        """A reference to the value in the object store."""
        return self._ray.put(value)

    def begin_phase(self, arguments: Sequence[tuple[Any, ...]]) -> None:
        """`Shard.enter` of every shard; what was before is over."""
        self._past = [[] for _ in self._handles]
        self.each("enter", arguments, lambda done, planned, failed: None)

    def each(self, method: str, arguments: Sequence[tuple[Any, ...]], advance: Advance) -> list[Any]:
        """What this method gives of each shard, called with its arguments, references to objects.

        An actor that dies meanwhile is replaced. Where one raises, no other sends a further call, and it is raised once all have
        ended.
        """
        ray = self._ray
        running = {
            getattr(handle, method).remote(*own): number
            for number, (handle, own) in enumerate(zip(self._handles, arguments, strict=True))
        }
        deaths = [0] * len(self)
        results: list[Any] = [None] * len(self)
        failure: Exception | None = None
        try:
            while running:
                ended, _ = ray.wait(list(running), timeout=_LOOK_SECONDS)
                if not ended:
                    self._report(advance)
                for ref in ended:
                    number = running.pop(ref)
                    try:
                        results[number] = self._result(ref)
                    except ray.exceptions.RayActorError as death:
                        deaths[number] += 1
                        if failure is None and deaths[number] < _DEATHS:
                            running[self._replace(number, method, arguments[number], death)] = number
                            continue
                        failure = failure or ActorsError(
                            f"actor {number} died {_DEATHS} times in one step ({_first_line(death)}); the logs of Ray say why"
                        )
                    except Exception as raised:  # noqa: BLE001 - raised below, once the others have ended
                        failure = failure or raised
                    else:
                        continue
                    self._stop(str(failure))
        except BaseException:
            self._give_up(list(running))
            raise
        if failure is not None:
            raise failure
        for number, own in enumerate(arguments):
            self._past[number].append((method, own))
        self._report(advance)
        return results

    def spent(self) -> Spent:
        """By all attempts of all sessions, as the keeper knows it."""
        if self._keeper is None:
            return NOTHING
        spent: Spent = self._kept(self._keeper.spent.remote())
        return spent

    def close(self) -> None:
        """Let all close what they have open, and end them; never raises for one that is dead or does not answer."""
        handles = [handle for handle in self._handles if handle is not None]
        with suppress(Exception):
            closing = [handle.close.remote() for handle in handles]
            self._ray.wait(closing, num_returns=len(closing), timeout=_GRACE_SECONDS)
        for handle in [*handles, *([] if self._keeper is None else [self._keeper])]:
            with suppress(Exception):
                self._ray.kill(handle)

    def _begun(self, references: list[Any]) -> list[tuple[str, int]]:
        """What `begin` of all gives, each of which is waited for so long as actors may take to start."""
        ended, left = self._ray.wait(references, num_returns=len(references), timeout=_START_SECONDS)
        for reference in ended:
            self._result(reference)  # a mistake that one met explains more than that others are late
        if left:
            raise ActorsError(
                f"{len(left)} of {len(references)} actors did not start within {_START_SECONDS:g} s; the processors of the cluster "
                "may be taken by others (ray status)"
            )
        return [self._result(reference) for reference in references]

    def _start(self, number: int) -> Any:
        """A new actor; the reference to what its `begin` gives."""
        self._lives[number] += 1
        options = self._shard.options(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")
        holder = f"{number}.{self._lives[number]}"
        self._handles[number] = options.remote(number, holder, self._setting, self._keeper)
        return self._handles[number].begin.remote()

    def _replace(self, number: int, method: str, own: tuple[Any, ...], death: Exception) -> Any:
        """Another actor in the place of one that died, on its way to the same step; the reference to what that gives."""
        self._tell(f"actor {number} died ({_first_line(death)}); another goes on with its journal")
        with suppress(Exception):  # it may only be out of reach
            self._ray.kill(self._handles[number])
        if self._keeper is not None:
            self._kept(self._keeper.lost.remote(f"{number}.{self._lives[number]}"))
        begun = self._start(number)
        handle = self._handles[number]
        before = [begun, *(handle.again.remote(earlier, *told) for earlier, told in self._past[number])]
        # One after the other, in the actor's own order; the first that fails tells why.
        last = getattr(handle, method).remote(*own)
        self._ray.wait(before, num_returns=len(before), timeout=None)
        try:
            for ref in before:
                place = self._result(ref)
                if ref is begun:
                    self.places[number] = place
        except self._ray.exceptions.RayActorError:
            pass  # as `last` will tell
        return last

    def _result(self, ref: Any) -> Any:
        """What an actor's method gave; raises what it raised as itself, and RayActorError if the actor is dead."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, Exception) and not isinstance(error.cause, errors.RayError):
                # A mistake of the user's speaks for itself; of anything else the actor's traceback is wanted too.
                raise error.cause from error
            raise RuntimeError(f"an actor failed: {error}") from None

    def _kept(self, ref: Any) -> Any:
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayActorError:
            raise KeeperGoneError from None

    def _report(self, advance: Advance) -> None:
        """How far all have come; one that does not answer at once is left out."""
        asked = [handle.progress.options(concurrency_group="control").remote() for handle in self._handles]
        answered, _ = self._ray.wait(asked, num_returns=len(asked), timeout=_LOOK_SECONDS)
        found = []
        for ref in answered:
            with suppress(self._ray.exceptions.RayError):
                found.append(self._ray.get(ref))
        done, planned, failed = (sum(each[place] for each in found) for place in range(3))
        if planned:
            advance(done, planned, failed)

    def _stop(self, reason: str) -> None:
        for handle in self._handles:
            handle.stop.options(concurrency_group="control").remote(reason)

    def _give_up(self, running: Sequence[Any]) -> None:
        """Have the calls under way given up, and wait a while until what had ended is kept."""
        for handle in self._handles:
            with suppress(Exception):
                handle.cancel.options(concurrency_group="control").remote()
        with suppress(Exception):
            self._ray.wait(list(running), num_returns=len(running), timeout=_GRACE_SECONDS)


def start_keeper(ray: Any, *arguments: Any, calls_in_flight: int) -> Any:
    """The actor that keeps the budget; beside the driver, so that it dies with no other machine."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=True
    )
    # As many may wait for room as calls are in flight, and none of them may keep a settlement out.
    options = {"num_cpus": 0, "max_concurrency": 1000 + 4 * calls_in_flight, "scheduling_strategy": strategy}
    return ray.remote(Keeper).options(**options).remote(*arguments)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:")
