"""The population of a scenario: which users, what each is told, and what answers for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agents.asking import Asking
from agents.embedded.knowledge import ItemKnowledge, Ratings
from agents.embedded.null import EchoUser, OracleUser, PopularityUser, RandomUser
from agents.embedded.reading import PromptReader
from agents.embedded.standin import StandIn, StandInConfig
from agents.memory import Experience, Memory
from agents.persona import persona
from agents.persona_file import PersonaError, read_personas
from agents.randomness import keyed_generator
from agents.reflection import Reflecting
from agents.reply import Asked
from agents.user import Script
from prompts import TitleBlind, domain, inline, load_family, session_template
from recommender.features.economy import find_state
from recommender.features.profile import ENHANCEMENTS
from recommender.truncation import Known, known_for
from simulator.cast import Member
from simulator.clients import make_model_client
from simulator.held_out import able_users, liked_items, told_history
from simulator.scenario import ScenarioError, arms_of
from simulator.scenario.plan import VALIDATION_ROUND, validation_users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from agents.embedded.client import EmbeddedClient
    from agents.llm import ChatClient, Draw
    from agents.persona import Persona
    from agents.persona_file import PersonaFile
    from prompts import Domain, Family
    from recommender.data.dataset import Dataset, Interactions
    from recommender.pipeline import Prepared
    from simulator.scenario import Arm, Scenario
    from simulator.scenario.schema import Slates, Users

_FAVOURITE_GENRES = 3
_EMBEDDED = frozenset({"standin", "echo", "random", "popularity", "oracle"})


@dataclass(frozen=True)
class Audience:
    """Rows of an arm's users in the users' table, and of those whose validation turns choose its weight."""

    users: NDArray[np.int64]
    validation_users: NDArray[np.int64]
    lengths: Mapping[str, int | None]
    """By the name under which its turns are recorded: history length."""
    personas: PersonaFile | None = None
    """Who they are, where a file says it."""
    newcomers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Rows of those who join later, in the order in which they do; no recommender is trained on them."""

    @property
    def everyone(self) -> NDArray[np.int64]:
        """Rows of the users of the test, newcomers last."""
        return np.concatenate([self.users, self.newcomers])


def choose_audience(scenario: Scenario, prepared: Prepared, arm: Arm | None = None) -> Audience:
    """Draw users whose history is at least as long as the longest truncation, the same for every arm of the scenario.

    `arm` is one of them, the first if none is given. ScenarioError if there are fewer users than asked for.
    """
    split = prepared.split
    arms = arms_of(scenario)
    chosen_arm = arm or arms[0]
    every_length = [length for each in arms for length in each.lengths.values() if length is not None]
    longest = max(every_length, default=1)
    known = known_for(split, longest)
    for each in arms:
        known = known[able_users(each.scenario, prepared)[known]]
        if (file := _personas(each.scenario, prepared)) is not None:
            known = known[prepared.split.dataset.users["user_id"].isin(file.rows.keys()).to_numpy()[known]]
    rows = keyed_generator(scenario.seed, "audience").permutation(known)
    joining = scenario.population.joining(scenario.rounds)
    if len(rows) < scenario.users.count + joining:
        held_out, remedy = "held-out items", "users.count or cold_start.lengths"
        if scenario.slates.source == "held_out":
            wanted = dict.fromkeys(_taken(each.scenario.slates) for each in arms)
            held_out = f"held-out items for a slate of {' and one of '.join(wanted)}"
            remedy = "users.count, slates.size or cold_start.lengths"
        if any(each.scenario.users.personas is not None for each in arms):
            held_out, remedy = (
                f"{held_out} and a row in users.personas",
                f"{remedy}, or give more users a row",
            )
        if joining:
            remedy = f"{remedy}, population.newcomers"
        later = f", and {joining} join them" if joining else ""
        raise ScenarioError(
            f"users.count is {scenario.users.count}{later}, but {split.dataset.label} has {len(rows)} users with at least "
            f"{longest} train interactions and {held_out}; lower {remedy}"
        )
    chosen = rows[: scenario.users.count]
    validating = chosen[: validation_users(chosen_arm.scenario)]
    told = _personas(chosen_arm.scenario, prepared)
    newcomers = rows[scenario.users.count : scenario.users.count + joining]
    return Audience(np.sort(chosen), np.sort(validating), chosen_arm.lengths, told, newcomers)


def _personas(scenario: Scenario, prepared: Prepared) -> PersonaFile | None:
    """The file of personas, if the scenario names one; PersonaError if it names a user that the data do not have."""
    if scenario.users.personas is None:
        return None
    file = read_personas(scenario.users.personas)
    known = {*prepared.split.dataset.users["user_id"]}
    strangers = [user for user in file.rows if user not in known]
    if strangers:
        first = strangers[0]
        raise PersonaError(
            f"{file.path}:{file.rows[first].line}: user {first!r} is not in {prepared.split.dataset.label}, as its filters leave "
            f"it; take out the {len(strangers):,} such row{'s' if len(strangers) > 1 else ''}"
        )
    return file


def _taken(slates: Slates) -> str:
    return f"{slates.liked_count} liked and {slates.others_count} {slates.others} others"


def domain_of(scenario: Scenario, dataset: Dataset) -> Domain:
    """The words in which users are told of the items; TemplateError if there are none for them."""
    rated = bool(len(dataset.interactions)) and not np.isnan(dataset.interactions.rating).all()
    return domain(scenario.data.domain or dataset.domain, rated=rated)


def make_script(scenario: Scenario, words: Domain | None = None) -> Script:
    """The prompt arm; TemplateError names a template that does not exist or does not fit, ScenarioError one that asks otherwise.

    `words` are those of `domain_of`; movies if not given, to check a scenario before its data are read.
    """
    chosen = scenario.prompts
    family = load_family(chosen.family, words)
    if not chosen.neutralise:
        family = replace(
            family,
            history=replace(family.history, safe=False),
            candidates=replace(family.candidates, safe=False),
        )
    asks = family.asked(chosen.feedback)
    if asks.yes_or_no is not (chosen.ask == "pointwise"):
        wanted = (
            "a yes or no, such as prompts.family pointwise, prompts.feedback yes_no"
            if chosen.ask == "pointwise"
            else "accepting or ranking a list, such as prompts.family paper, prompts.feedback template_b; or set prompts.ask to pointwise"
        )
        raise ScenarioError(
            f"prompts.ask is {chosen.ask}, which the template {chosen.feedback!r} of family {chosen.family!r} does not fit; "
            f"take one that asks for {wanted}"
        )
    if chosen.constrain and asks.form != "json":
        raise ScenarioError(
            f"prompts.constrain holds replies to a JSON Schema, and the template {chosen.feedback!r} of family {chosen.family!r} "
            "does not ask for JSON; take one of form json, such as prompts.family json, or leave prompts.constrain out"
        )
    return Script(
        family=family,
        system=family.template(chosen.system, "system"),
        profile=family.template(chosen.profile, "profile"),
        memory=family.template(chosen.memory, "memory"),
        feedback=family.template(chosen.feedback, "feedback"),
        asked=Asked(accept=asks.accept, rank=asks.rank, form=asks.form),
        memory_tokens=chosen.memory_tokens,
        shuffled=chosen.shown == "shuffled",
        model=model_asked_for(scenario.users),
        params=scenario.users.params,
        seed=scenario.seed,
        asking=Asking(chosen.ask, chosen.permutations, chosen.threshold, chosen.probability == "text"),
        remember=chosen.remember,
        rounds=session_template(family, "rounds") if chosen.remember == "all" else None,
        reflecting=_reflecting(scenario, family),
        constrain=chosen.constrain,
    )


def _reflecting(scenario: Scenario, family: Family) -> Reflecting | None:
    every = scenario.prompts.reflect_every
    if every is None:
        return None
    if scenario.users.client in _EMBEDDED:
        raise ScenarioError(
            f"prompts.reflect_every: users.client {scenario.users.client} is embedded and has no words of its own to sum up with; "
            "take a language model, or leave it out"
        )
    return Reflecting(every, session_template(family, "reflect"), session_template(family, "reflection"))


def model_asked_for(users: Users) -> str:
    """The model's name in requests; a file's without its folder, so that keys and records hold no path of a machine."""
    name = users.model or users.client
    return Path(name).name if users.client == "local" else name


def item_names(family: Family, items: pd.DataFrame) -> list[str]:
    """What users are told of each item: its title or, of a title-blind family, a text without it."""
    if not family.blind:
        return [family.history.shown(title) for title in items["title"]]
    blind = TitleBlind(items["title"].tolist())
    columns = (items["title"], items["genres"], items["description"])
    return [blind.text(*row) for row in zip(*columns, strict=True)]


def make_members(
    scenario: Scenario,
    prepared: Prepared,
    audience: Audience,
    phase: str,
    replicates: int = 1,
    names: Sequence[str] | None = None,
) -> list[Member]:
    """Every (arm, replicate, user) of a phase: persona and memory from the truncated history, targets from what is held out.

    `names` of `item_names`; titles if not given.

    RuntimeError if a held-out item were about to be told as watched: no prompt may ever hold one.
    """
    split = prepared.split
    rows = audience.everyone if phase == "test" else audience.validation_users
    liked, disliked = liked_items(scenario, split, phase), prepared.disliked
    targets, negatives = _by_user(liked, rows), _by_user(disliked, rows)
    user_ids = split.dataset.users["user_id"].tolist()
    item_ids = split.dataset.items["item_id"].tolist()
    titles = names or [inline(title) for title in split.dataset.items["title"]]
    biographer = _Biographer(scenario, prepared)
    members, newcomers = [], frozenset(audience.newcomers.tolist())
    for arm, length in audience.lengths.items():
        known = Known(
            split, prepared.labels, length, audience.newcomers, scenario.population.newcomer_history
        )
        whole = told_history(scenario, split, phase)
        history = known.history(whole)
        labels = known.profile(whole).numpy()
        past = _by_user(history, rows)
        group = []
        for row in rows.tolist():
            seen = history.take(past[row])
            held_out, negative = liked.take(targets[row]), disliked.take(negatives[row])
            if np.isin(np.concatenate([held_out.item, negative.item]), seen.item).any():
                raise RuntimeError(f"{arm}, user {user_ids[row]}: a held-out item stands in the history")
            group.append(
                Member(
                    arm,
                    user_ids[row],
                    biographer.persona(row, labels[row], seen)
                    if audience.personas is None
                    else audience.personas.persona(user_ids[row], scenario.seed),
                    _memory(titles, seen),
                    tuple(item_ids[item] for item in held_out.item.tolist()),
                    _ratings(item_ids, held_out) | _ratings(item_ids, negative),
                    newcomer=row in newcomers,
                )
            )
        members += [replace(member, replicate=number) for number in range(replicates) for member in group]
    return members


def make_reader(prepared: Prepared) -> PromptReader:
    """Reads the catalogue's titles as prompts spell them."""
    return PromptReader([inline(title) for title in prepared.split.dataset.items["title"]])


def make_nulls(scenario: Scenario, prepared: Prepared, reader: PromptReader) -> dict[str, EmbeddedClient]:
    """The null users of every report."""
    split = prepared.split
    validation, test = (
        _held_out(prepared, liked_items(scenario, split, phase)) for phase in ("validation", "test")
    )

    def liked(draw: Draw) -> frozenset[int]:
        return (validation if draw.round == VALIDATION_ROUND else test).get(draw.user, frozenset())

    counts = np.bincount(split.train.item, minlength=len(split.dataset.items)).tolist()
    return {
        "echo": EchoUser(reader),
        "random": RandomUser(reader, scenario.seed),
        "popularity": PopularityUser(reader, counts),
        "oracle": OracleUser(reader, liked),
    }


def _held_out(prepared: Prepared, targets: Interactions) -> dict[str, frozenset[int]]:
    user_ids = prepared.split.dataset.users["user_id"].tolist()
    found: dict[str, set[int]] = {}
    for user, item in zip(targets.user.tolist(), targets.item.tolist(), strict=True):
        found.setdefault(user_ids[user], set()).add(item)
    return {user: frozenset(items) for user, items in found.items()}


def make_client(
    scenario: Scenario,
    prepared: Prepared,
    audience: Audience,
    reader: PromptReader,
    nulls: Mapping[str, EmbeddedClient],
    knowledge: Callable[[], ItemKnowledge] | None = None,
) -> ChatClient:
    """What answers for the users; ClientSetupError or ScenarioError says what is missing.

    `knowledge` gives a stand-in what it knows of the items, made anew if it is not given.
    """
    users = scenario.users
    if users.client in nulls:
        return nulls[users.client]
    if users.client == "standin":
        config = StandInConfig(**users.standin.model_dump())
        known = knowledge() if knowledge else make_knowledge(scenario, prepared, audience)
        return StandIn(reader, known, config, scenario.seed)
    return make_model_client(users)


def make_knowledge(scenario: Scenario, prepared: Prepared, audience: Audience) -> ItemKnowledge:
    """Item knowledge from the train rows of everybody but the simulated users."""
    split = prepared.split
    others = np.setdiff1d(np.arange(len(split.dataset.users)), audience.everyone)
    train = split.train.take(np.isin(split.train.user, others))
    items = split.dataset.items
    biographer, traits = _Biographer(scenario, prepared), []
    for row in others.tolist():
        told = biographer.persona(row, None, None)
        traits.append([word for word in (told.gender, told.age, told.occupation) if word])
    ratings = Ratings(
        np.searchsorted(others, train.user),
        train.item.astype(np.int64),
        train.rating.astype(np.float64),
    )
    titles = [inline(title) for title in items["title"]]
    try:
        return ItemKnowledge(
            titles, items["genres"].tolist(), items["description"].tolist(), ratings, traits, scenario.seed
        )
    except ValueError as error:
        raise ScenarioError(f"users.client standin: {error}") from error


class _Biographer:
    """Makes personas of the users' table; a table is slow to look at row by row, so it is read once."""

    def __init__(self, scenario: Scenario, prepared: Prepared) -> None:
        self._seed, self._fields = scenario.seed, prepared.labels.fields
        dataset = prepared.split.dataset
        self._records = dataset.users.to_dict("records")
        self._genres: list[tuple[str, ...]] = dataset.items["genres"].tolist()

    def persona(self, row: int, labels: NDArray[np.int64] | None, history: Interactions | None) -> Persona:
        """Of the user in a row; what is mined of its history only where it is given."""
        record = {str(name): value for name, value in self._records[row].items()}
        code = record.get("zip")
        state = find_state(code) if isinstance(code, str) else None
        record["state"] = None if state is None else state.name
        mined, interests = {}, []
        if labels is not None:
            for known, label in zip(self._fields, labels.tolist(), strict=True):
                if known.name in ENHANCEMENTS:
                    mined[known.name] = known.labels[label]
        if history is not None:
            count = Counter(genre for item in history.item.tolist() for genre in self._genres[item])
            interests = [genre for genre, _ in count.most_common(_FAVOURITE_GENRES)]
        return persona(str(record["user_id"]), record, mined, interests, self._seed)


def _memory(titles: Sequence[str], history: Interactions) -> Memory:
    pairs = zip(history.item.tolist(), history.rating.tolist(), strict=True)
    return Memory(
        tuple(Experience(titles[item], None if isnan(rating) else rating) for item, rating in pairs)
    )


def _ratings(item_ids: list[str], inter: Interactions) -> dict[str, float]:
    """Real ratings by item id; what has none is left out."""
    pairs = zip(inter.item.tolist(), inter.rating.tolist(), strict=True)
    return {item_ids[item]: rating for item, rating in pairs if not isnan(rating)}


def _by_user(inter: Interactions, rows: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Row numbers of each user's interactions (sorted by user)."""
    start = np.searchsorted(inter.user, rows, side="left")
    end = np.searchsorted(inter.user, rows, side="right")
    return {
        row: np.arange(first, last)
        for row, first, last in zip(rows.tolist(), start.tolist(), end.tolist(), strict=True)
    }
