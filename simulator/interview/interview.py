"""Free questions to one user of a finished run, through the gateway that the run's calls went through."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.embedded.client import EmbeddedClient
from agents.llm import ClientSetupError, Draw, Endpoint, Gateway, Message, Request
from recommender.pipeline import prepare_data
from recommender.trained_directory import read_json, write_text
from scenarios.document import Document
from scenarios.reading import typed
from simulator.audience import model_asked_for
from simulator.clients import make_model_client
from simulator.interview.interviewee import last_turn, recall
from simulator.resuming import check_same_scenario
from simulator.scenario import load
from simulator.scenario.schema import Users
from simulator.sending import Sending, answers_at_hand, cost_told, make_budget, open_gateway, open_ledger
from simulator.study import check_data
from simulator.transcript.directory import RunDirectory
from simulator.transcript.journal import CallJournal
from simulator.transcript.manifest import recorded_arms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agents.llm import Budget, ChatClient, Record
    from recommender.stages import Stages
    from scenarios.document import Loc
    from simulator.interview.interviewee import Interviewee

_EMBEDDED = {
    "standin": "a behavioural model of choice",
    **dict.fromkeys(("echo", "random", "popularity", "oracle"), "a null user"),
}
_NAME = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH, _KEY_LENGTH = 40, 12


@dataclass(frozen=True)
class Answered:
    """A question and the end of its call."""

    question: str
    record: Record

    @property
    def text(self) -> str:
        """What was said, or why nothing was."""
        said = self.record.completion
        return f"(no answer came: {self.record.error})" if said is None else said.text


@dataclass
class Interview:
    """A conversation that goes on: each question is asked with all that was said before."""

    interviewee: Interviewee
    users: Users
    """Who is asked, and how calls are sent."""
    gateway: Gateway
    client: str
    """Label of who answers."""
    folder: Path
    budgets: Sequence[Budget] = ()
    answers: list[Answered] = field(default_factory=list)

    def ask(self, question: str) -> Answered:
        """Put a question; one that was put in the same conversation before is answered from the record."""
        turn = self.interviewee.turn
        request = Request(
            messages=(*self.messages(), Message("user", self._worded(question))),
            model=model_asked_for(self.users),
            params=self.users.params,
            draw=Draw(turn.user_id, turn.round, turn.replicate),
        )
        (record,) = self.gateway.ask([request])
        answered = Answered(question, record)
        self.answers.append(answered)
        return answered

    def messages(self) -> tuple[Message, ...]:
        """All that was said: the last call of the run, then the questions and answers."""
        said = list(self.interviewee.said)
        for number, answered in enumerate(self.answers):
            question = answered.question if number else self.interviewee.opening(answered.question)
            said += [Message("user", question), Message("assistant", answered.text)]
        return tuple(said)

    def _worded(self, question: str) -> str:
        return question if self.answers else self.interviewee.opening(question)

    def heading(self) -> str:
        """Who is interviewed, and who speaks for it."""
        turn = self.interviewee.turn
        same = "who answered for it in the run" if self.client == turn.client else f"in the run {turn.client}"
        return (
            f"User {turn.user_id}, {turn.arm}, replicate {turn.replicate}, after round {turn.round}, on {turn.data}\n"
            f"answers: {model_asked_for(self.users)}, {self.client} ({same})"
        )

    def keep(self) -> Path | None:
        """Write the conversation down as text; None if nothing was asked. The same conversation is the same file."""
        if not self.answers:
            return None
        name = _NAME.sub("_", self.interviewee.turn.user_id)[:_NAME_LENGTH]
        path = self.folder / f"user-{name}-{self.answers[-1].record.key[:_KEY_LENGTH]}.txt"
        parts = [self.heading(), *(f"[{each.role}]\n{each.content}" for each in self.messages())]
        write_text(path, "\n\n".join(parts) + "\n")
        return path

    def told(self, path: Path | None) -> dict[str, Any]:
        """As JSON."""
        turn = self.interviewee.turn
        return {
            "path": None if path is None else str(path),
            **{name: getattr(turn, name) for name in ("user_id", "arm", "replicate", "round", "data")},
            "client": self.client,
            "client_of_the_run": turn.client,
            "model_requested": model_asked_for(self.users),
            "messages": [vars(each) for each in self.messages()],
            "answers": [
                {
                    "question": each.question,
                    "answer": None if each.record.completion is None else each.record.completion.text,
                    "error": each.record.error,
                    "key": each.record.key,
                    "source": each.record.source,
                }
                for each in self.answers
            ],
            "cost": cost_told(self.budgets),
        }


@dataclass(frozen=True)
class Guest:
    """Whom to interview: a user, by its id, in an arm, by the name under which turns are recorded (None: the first)."""

    user: str
    arm: str | None = None
    replicate: int = 0


def invite(path: Path, guest: Guest, overrides: Sequence[str], stages: Stages) -> Interviewee:
    """The user of the finished run in `path` as it was at the end.

    `overrides` of the scenario may say where data lie, and change nothing that was asked. Raises TranscriptError,
    ScenarioError, JournalError or DataError.
    """
    run = RunDirectory.open(path)
    scenario = load(run.scenario, overrides)
    check_same_scenario(load(run.scenario), scenario, run.scenario)
    turn = last_turn(run, guest.user, guest.arm, guest.replicate)
    with stages.stage("data"):
        prepared = prepare_data(scenario)
        check_data(prepared, read_json(run.manifest), run.manifest)
    return recall(run, scenario, turn, prepared.split.dataset)


def asked_of(interviewee: Interviewee, changes: Mapping[str, str | None]) -> Users:
    """Who answers: as in the run, but for `changes` (client, model, base_url, api_key_env; None leaves as it was).

    ScenarioError says where a change does not fit, and ClientSetupError that what answers cannot answer questions.
    """
    users = interviewee.arm.scenario.users
    changed = {name: value for name, value in changes.items() if value is not None}
    if changed:
        value = {**users.model_dump(mode="json"), **changed}
        places: dict[Loc, str] = {(name,): f"--{name.replace('_', '-')}" for name in changed}
        users = typed(Users, Document(value, {(): "the run's users", **places}))
    if users.client in _EMBEDDED:
        raise _no_language_model(f"users.client {users.client}", _EMBEDDED[users.client])
    return users.model_copy(update={"send": "single"})


def _no_language_model(who: str, what: str) -> ClientSetupError:
    return ClientSetupError(
        f"{who} is {what}, no language model, and cannot answer free questions; --show prints what the user was told and what "
        "it decided, with reasons. To ask a language model in its place: --client openai --model NAME [--base-url URL], or "
        "--client local"
    )


@contextmanager
def interview(path: Path, interviewee: Interviewee, users: Users, sending: Sending) -> Iterator[Interview]:
    """Ask a client, made anew. What was answered is kept in a journal of the run's interviews, and costs nothing again."""
    run = RunDirectory(path)
    client = make_model_client(users)
    if isinstance(client, EmbeddedClient):
        raise _no_language_model(client.label, "an embedded user")
    run.interviews.mkdir(exist_ok=True)
    scenario = interviewee.arm.scenario.model_copy(update={"users": users})
    with run.held(), ExitStack() as stack:
        journal = stack.enter_context(CallJournal(_journal(run), "append", data=interviewee.turn.data))
        at_hand = stack.enter_context(answers_at_hand(scenario, [client], sending))
        budget = make_budget(users, model_asked_for(users), client, sending.caps)
        gateway = stack.enter_context(
            open_gateway(
                users,
                client,
                journal,
                at_hand,
                budget,
                ledger=partial(open_ledger, run.batches),
                tell=lambda said: None,
                retry_errors=True,
            )
        )
        yield Interview(
            interviewee, users, gateway, client.label, run.interviews, () if budget is None else (budget,)
        )


@contextmanager
def replayed(path: Path, interviewee: Interviewee, users: Users) -> Iterator[Interview]:
    """Answer from the journal of the run's interviews alone; a question that is not there raises ReplayMiss."""
    run = RunDirectory(path)
    endpoint, label = _recorded(run, interviewee, users)
    with CallJournal(_journal(run), "read") as journal, Gateway(None, journal, endpoint=endpoint) as gateway:
        yield Interview(interviewee, users, gateway, label, run.interviews)


def _recorded(run: RunDirectory, interviewee: Interviewee, users: Users) -> tuple[Endpoint, str]:
    """Whose answers are replayed, and their label."""
    of_the_run = interviewee.arm.scenario.users
    if (users.client, users.base_url) == (of_the_run.client, of_the_run.base_url):
        arm = recorded_arms(read_json(run.manifest))[interviewee.arm.name]
        return arm.endpoint, arm.client
    # Made for its address alone: it opens nothing, and a replay needs no key.
    client: ChatClient = make_model_client(users.model_copy(update={"api_key_env": None}))
    return Endpoint.of(client), client.label


def _journal(run: RunDirectory) -> Path:
    return run.interviews / "calls.jsonl"
