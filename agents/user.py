"""One simulated user: observes a slate, asks its model, decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import mesa

from agents.asking import LISTWISE, Asking, Reading, combined
from agents.encounters import Encounter, tell
from agents.llm.tokens import estimate_tokens
from agents.llm.types import Draw, Message, Request
from agents.randomness import keyed_permutation
from agents.reflection import REFLECTION, noted
from agents.reply import Asked, Verdict, parse
from agents.reply.json_form import schema
from agents.reply.yes_no import read_logprobs, read_word
from prompts import inline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.embedded.client import EmbeddedClient
    from agents.llm.types import Completion
    from agents.memory import Memory
    from agents.persona import Persona
    from agents.reflection import Reflecting, Reflection
    from prompts import Family, Template


Remember = Literal["none", "accepted", "all"]


@dataclass(frozen=True)
class Script:
    """The prompt arm a population is asked with, and how its model is called."""

    family: Family
    system: Template
    profile: Template
    memory: Template
    feedback: Template
    asked: Asked
    memory_tokens: int
    shuffled: bool
    """Show the candidates in an order drawn per user and round, the same in every arm; else best first."""
    model: str
    params: Mapping[str, Any]
    seed: int
    asking: Asking = LISTWISE
    remember: Remember = "accepted"
    """Of earlier rounds: nothing; what was accepted, in the history; or that, and what became of all that was shown."""
    rounds: Template | None = None
    """How an earlier round is told, where all is remembered."""
    reflecting: Reflecting | None = None
    """How users sum up earlier rounds, where they do."""
    constrain: bool = False
    """Send the JSON Schema of the reply with each call."""

    def hashes(self) -> dict[str, str]:
        """Content hash of each template, by module."""
        parts = {
            "system": self.system,
            "profile": self.profile,
            "memory": self.memory,
            "feedback": self.feedback,
            **({} if self.rounds is None else {"rounds": self.rounds}),
            **(
                {}
                if self.reflecting is None
                else {"reflect": self.reflecting.question, "reflection": self.reflecting.told}
            ),
        }
        return {name: template.hash for name, template in parts.items()}

    def params_of_calls(self) -> Mapping[str, Any]:
        """The parameters as sent: where a yes is to be weighed they ask for the likeliest tokens, and for few of them."""
        if not self.asking.needs_logprobs:
            return self.params
        limit = "max_completion_tokens" if "max_completion_tokens" in self.params else "max_tokens"
        own = {name: value for name, value in self.params.items() if name not in _REPLY_LIMITS}
        return {"top_logprobs": _LIKELIEST, **own, "logprobs": True, limit: _YES_OR_NO_TOKENS}

    def held_to_schema(self, params: Mapping[str, Any], count: int) -> Mapping[str, Any]:
        """The parameters of a call about `count` candidates: where replies are JSON and servers to be held to it, with its schema."""
        if not self.constrain:
            return params
        form = {"name": "decision", "strict": True, "schema": schema(count, self.asked)}
        return {**params, "response_format": {"type": "json_schema", "json_schema": form}}


_REPLY_LIMITS = ("max_completion_tokens", "max_tokens")
_LIKELIEST = 20
"""The most that OpenAI gives, and vLLM unless it is told otherwise."""
_YES_OR_NO_TOKENS = 4
"""Room for a line break or a mark of emphasis before the word."""


@dataclass(frozen=True)
class Offer:
    """What one prompt shows: titles in its order and, for each, its place in the slate."""

    titles: tuple[str, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Decision:
    """What a turn came to, and what each of its calls said."""

    verdict: Verdict | None
    """Positions are places in the slate; None where no call was answered."""
    readings: tuple[Reading, ...]


class UserAgent(mesa.Agent):
    """A member of the population; holds persona and memory, and answers through whatever model it is given."""

    def __init__(
        self, model: mesa.Model, arm: str, user_id: str, persona: Persona, memory: Memory, script: Script
    ) -> None:
        super().__init__(model)
        self.arm = arm
        self.user_id = user_id
        self.persona = persona
        self.memory = memory
        self.script = script
        self.order: tuple[int, ...] = ()
        """Of the slate's places: as shown in the one prompt; of several prompts, as ties between them are broken."""
        self._offers: tuple[Offer, ...] = ()
        self._sighted: tuple[tuple[str, ...], ...] = ()
        """The titles of each offer, whatever the prompt calls its items."""
        self._encounters: tuple[Encounter, ...] = ()
        self._reflection: Reflection | None = None

    def observe(
        self, titles: tuple[str, ...], turn: int, replicate: int, sighted: tuple[str, ...] = ()
    ) -> tuple[Request, ...]:
        """Build the requests for a slate of `titles`, best first, in round `turn`: one, or one for each part of the turn.

        Of a title-blind script `titles` are texts in place of titles, and `sighted` are the titles: null users, who know items by
        them, are asked with them.
        """
        script = self.script
        self.order = tuple(range(len(titles)))
        if script.shuffled:
            self.order = keyed_permutation(len(titles), script.seed, "shown order", self.user_id, turn)
        # Compare replies with what the model was shown, not with the catalogue's spelling.
        form = script.family.candidates
        shown = [form.shown(title) for title in titles]
        self._offers = tuple(
            Offer(tuple(shown[place] for place in order), order) for order in self._orders(len(titles), turn)
        )
        true = [inline(title) for title in sighted or titles]
        self._sighted = tuple(tuple(true[place] for place in offer.order) for offer in self._offers)
        name, params = self.persona.name, script.params_of_calls()
        earlier, history = self._past()
        memory = script.memory.render({"name": name, "history": history})
        task, requests = self._task, []
        for part, offer in enumerate(self._offers):
            feedback = script.feedback.render({"name": name, "candidates": form.rows(offer.titles)})
            requests.append(
                Request(
                    messages=(task, Message("user", _paragraphs([memory, earlier, feedback]))),
                    model=script.model,
                    params=script.held_to_schema(params, len(offer.titles)),
                    draw=Draw(self.user_id, turn, replicate, part),
                    needs_logprobs=script.asking.needs_logprobs,
                )
            )
        return tuple(requests)

    def forget_offers(self) -> None:
        """Once they are decided on, so that a large population holds no more prompts than are being answered."""
        self._offers, self._sighted = (), ()

    def _orders(self, size: int, turn: int) -> list[tuple[int, ...]]:
        """The places of the slate in each prompt."""
        asking, seed = self.script.asking, self.script.seed
        if asking.way == "listwise":
            return [self.order]
        if asking.way == "pointwise":
            return [(place,) for place in range(size)]
        return [
            keyed_permutation(size, seed, "permuted order", self.user_id, turn, number)
            for number in range(asking.permutations)
        ]

    @property
    def _task(self) -> Message:
        """What is the same in every round."""
        script = self.script
        return Message(
            "system",
            _paragraphs([script.system.render({}), script.profile.render(self.persona.values())]),
        )

    def decide(self, completions: Sequence[Completion | None]) -> Decision:
        """Read the answers to the last requests, in their order; None for one that was not answered."""
        return self._decision(tuple(map(self._read, self._offers, completions)))

    def decide_as(self, user: EmbeddedClient, requests: Sequence[Request]) -> Verdict:
        """What it would have decided had an embedded user answered its last requests."""
        requests, offers = self._for_nulls(requests)
        asked = zip(requests, offers, strict=True)
        if self.script.asking.way == "pointwise":
            readings = [self._read(offer, user.answer(request)) for request, offer in asked]
        else:
            readings = [
                Reading(
                    offer.order, user.verdict(request, offer.titles, self.script.asked).mapped(offer.order)
                )
                for request, offer in asked
            ]
        verdict = self._decision(tuple(readings)).verdict
        assert verdict is not None
        return verdict

    def _for_nulls(self, requests: Sequence[Request]) -> tuple[Sequence[Request], tuple[Offer, ...]]:
        """The last requests as null users get them: with the true titles, by which alone they know items."""
        script = self.script
        if self._sighted == tuple(offer.titles for offer in self._offers):
            return requests, self._offers
        offers = tuple(
            Offer(titles, offer.order) for titles, offer in zip(self._sighted, self._offers, strict=True)
        )
        task, told = self._task, []
        for request, offer in zip(requests, offers, strict=True):
            rows = "\n".join(f"[{at}] {title}" for at, title in enumerate(offer.titles, start=1))
            feedback = script.feedback.render({"name": self.persona.name, "candidates": rows})
            told.append(replace(request, messages=(task, Message("user", feedback))))
        return told, offers

    def _read(self, offer: Offer, said: Completion | None) -> Reading:
        if said is None:
            return Reading(offer.order, None)
        asking = self.script.asking
        if asking.way == "pointwise":
            found = read_word(said) if asking.from_text else read_logprobs(said)
            return Reading(offer.order, Verdict(found.status), found.probability, found.mass)
        verdict = parse(said.text, offer.titles, said.finish_reason, self.script.asked)
        return Reading(offer.order, verdict.mapped(offer.order))

    def _decision(self, readings: tuple[Reading, ...]) -> Decision:
        asking = self.script.asking
        return Decision(combined(asking.way, readings, asking.threshold, self.order), readings)

    def remember(self, titles: tuple[str, ...], encounter: Encounter) -> None:
        """Keep of a round what the script says: titles that were accepted and shown, and what became of the slate."""
        if self.script.remember != "none":
            self.memory = self.memory.with_accepted(titles)
        if self.script.remember == "all":
            self._encounters = (*self._encounters, encounter)

    def reflect(self, turn: int, replicate: int) -> Request:
        """The call in which the user sums up what it remembers, after round `turn`."""
        script = self.script
        assert script.reflecting is not None
        earlier, history = self._past()
        memory = script.memory.render({"name": self.persona.name, "history": history})
        return Request(
            messages=(
                self._task,
                Message("user", _paragraphs([memory, earlier, script.reflecting.question.render({})])),
            ),
            model=script.model,
            params=script.params,
            draw=Draw(self.user_id, turn, replicate, REFLECTION),
        )

    def reflected(self, completion: Completion | None, turn: int) -> bool:
        """Keep what the user noted in the place of the rounds before; False where there is no note, and they stay as they are."""
        found = noted(completion, turn)
        if found is None:
            return False
        self._reflection, self._encounters = found, ()
        return True

    def _past(self) -> tuple[str, str]:
        """Earlier rounds, in half of the memory's budget at most, and in what they leave of it what was watched.

        What the user noted for itself stands before the rounds since, in half of their budget.
        """
        script = self.script
        earlier, budget = "", script.memory_tokens // 2
        if self._reflection is not None and script.reflecting is not None:
            earlier = self._reflection.tell(script.reflecting.told, budget // 2)
        if self._encounters and script.rounds is not None:
            left = budget - estimate_tokens(earlier)
            since = tell(self._encounters, script.rounds, script.family.history, left)
            earlier = "\n".join(part for part in (earlier, since) if part)
        left = script.memory_tokens - estimate_tokens(earlier)
        return earlier, self.memory.render(script.family.history, left)


def _paragraphs(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part)
