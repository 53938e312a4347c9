"""What a scenario may say. Every field has its meaning below it; the JSON Schema and the editor's help come from here."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

from recommender.configuration import ColdStart, Setup
from scenarios.arms import either, some_arm
from scenarios.section import Count, FilePath, PositiveInts, Section, Share, increasing, named
from simulator.scenario.living import Learning, Population, Traffic
from simulator.scenario.study_plan import StudyPlan  # noqa: TC001 - pydantic reads the annotation

_SECRET = re.compile(r"(api[-_]?key|authorization|secret|password|^token$|access[-_]?token)", re.IGNORECASE)

_REPLY_LIMITS = {"max_tokens", "max_completion_tokens"}
_LOCAL_REPLY = 800


def _secret_in(value: JsonValue) -> str | None:
    """The first key, at any depth, that looks like the name of a credential."""
    if isinstance(value, dict):
        own = next((key for key in value if _SECRET.search(key)), None)
        if own is not None:
            return own
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in map(_secret_in, parts) if found is not None), None)


class StandIn(Section):
    """The embedded behavioural stand-in: which parts of its utility are switched on. It is no language model."""

    noise: Annotated[float, Field(ge=0)] = 0.3
    """Scale of the logistic noise on each utility, redrawn for each draw; 0 is none."""
    co_rating: bool = True
    """Co-rating of the candidates with the history that the prompt shows."""
    quality: bool = True
    """Damped mean rating of an item."""
    content: bool = True
    """Affinity to the genres (and the text, where an item has no ratings) of the history."""
    persona: bool = True
    """What the prompt's persona says of tastes."""
    slot_bias: Annotated[float, Field(ge=0)] = 0.1
    """Extra utility of the first slot of the list, falling as 1 / slot."""


class Local(Section):
    """The llama.cpp server that users.client local starts in this process."""

    context: Count = 4096
    """Tokens that a prompt and its reply may have together; memory is taken for so many in each slot."""
    slots: Count | None = None
    """Calls that are answered at once; null: users.concurrency, but 4 at most."""
    threads: Count | None = None
    """That compute; null: half of the cores the process may use. They spin while they wait for each other, so that more
    than there are idle cores are far slower than one."""


class Prices(Section):
    """What the endpoint asks, in US dollars per million tokens; where it is not given, the vendor's published prices count."""

    input: Annotated[float, Field(ge=0)]
    """Of the prompt."""
    output: Annotated[float, Field(ge=0)]
    """Of the reply, reasoning included."""
    cached_input: Annotated[float | None, Field(ge=0)] = None
    """Of the part of the prompt that the server had cached; null: the same as input."""
    as_of: str | None = None
    """When and where they were read, such as 2026-11-01, contract; printed with every cost."""


class Users(Section):
    """The simulated audience and what answers for it."""

    count: Count
    """Users simulated at each history length."""
    client: Annotated[str, named("standin", "openai", "local", "echo", "random", "popularity", "oracle")]
    """standin, openai (any compatible endpoint), local (a GGUF file by llama.cpp, no network), a null user (echo, random,
    popularity, oracle), or module:Class."""
    personas: FilePath | None = None
    """CSV of personas, a row for each user: user_id and what the profile tells. Users are drawn among those with a row, and
    what a row leaves empty is not told. Null: personas are made of the data."""
    model: Annotated[str | None, Field(validate_default=True)] = None
    """Model name as the endpoint knows it; needed by openai. For local the path of a GGUF file, or smollm2, its default."""
    base_url: str | None = None
    """Address of a compatible endpoint, such as http://127.0.0.1:8000/v1; null is the vendor's own."""
    api_key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key (the key itself never stands in a scenario); null for a server
    that asks for none."""
    send: Literal["single", "batch"] = "single"
    """single: each call by itself; batch: a round at once through OpenAI's Batch API, half the price, answered within a day."""
    batch_poll_s: Annotated[float, Field(gt=0)] = 30.0
    """Seconds between two looks at a batch."""
    params: Annotated[dict[str, JsonValue], Field(default_factory=dict, validate_default=True)]
    """Sampling parameters, sent as they are: temperature, max_tokens, seed ... For local max_tokens is 800 if nothing is said,
    since small models may never end."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds one attempt may take."""
    concurrency: Count = 16
    """Calls in flight at most; changes the time a run takes, never its result."""
    requests_per_minute: Count | None = None
    """Attempts begun in any minute at most; null is no limit."""
    tokens_per_minute: Count | None = None
    """Tokens of prompts and of the longest replies allowed, in any minute at most; null is no limit."""
    attempts: Count = 6
    """Tries of one call at most, the first included."""
    prices: Prices | None = None
    """Your own prices; null: those that the vendor publishes, or unknown where none does."""
    cache: bool = True
    """Take answers to equal requests of the same draw from the cache that runs share."""
    standin: StandIn = StandIn()
    """Used by the stand-in only."""
    local: Local = Local()
    """Used by a local model only."""

    @field_validator("model")
    @classmethod
    def _endpoint_has_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.data.get("client") == "openai":
            raise ValueError("should name a model that the endpoint knows: client openai needs users.model")
        if not value and info.data.get("client") == "local":
            return "smollm2"
        return value

    @field_validator("send")
    @classmethod
    def _batches_need_an_endpoint(cls, value: str, info: ValidationInfo) -> str:
        client = info.data.get("client")
        if value == "batch" and client not in {None, "openai"}:
            raise ValueError(f"should be single: batches are for client openai, and client is {client!r}")
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.data.get("client") == "local":
            raise ValueError("should be null: client local starts a server of its own")
        try:
            url = urlsplit(value)
            complete = url.scheme in {"http", "https"} and url.hostname is not None
            credentials = "@" in url.netloc or bool(_SECRET.search(url.query))
        except ValueError:
            complete, credentials = False, False
        if credentials:
            raise ValueError(
                "should hold no credentials: put the key into the variable that users.api_key_env names"
            )
        if not complete:
            raise ValueError("should be a whole address such as http://127.0.0.1:8000/v1")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(
                "should be the name of an environment variable, such as OPENAI_API_KEY, not a key"
            )
        return value

    @field_validator("params")
    @classmethod
    def _keyless(cls, value: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        taken = {"model", "messages"} & value.keys()
        if taken:
            raise ValueError(f"should not hold {min(taken)!r}: the run sets it, the model from users.model")
        if secret := _secret_in(value):
            raise ValueError(
                f"should not hold {secret!r}: keys come from the environment only, see users.api_key_env"
            )
        if info.data.get("client") == "local" and not _REPLY_LIMITS & value.keys():
            return {**value, "max_tokens": _LOCAL_REPLY}
        return value


class Prompts(Section):
    """What the simulated users are told: templates of one family, by name."""

    family: str = "paper"
    """A shipped family, or the path of a folder with a family.yaml."""
    system: str = "system"
    """The task description."""
    profile: str = "template_1"
    """Who the user is."""
    memory: str = "template_2"
    """What the user has watched."""
    feedback: str = "template_b"
    """What is recommended and what is asked; a ranking is needed to refine by one."""
    memory_tokens: Count = 2000
    """The history is cut to so many tokens, newest and strongest first; what is told of earlier rounds takes half of them at most."""
    remember: Literal["none", "accepted", "all"] = "accepted"
    """Of earlier rounds. none: nothing; accepted: what was accepted and shown joins the history; all: also, in the words of
    the template `rounds`, what was shown, accepted and rejected, newest rounds first."""
    reflect_every: Count | None = None
    """With remember all: after every so many rounds each user is asked, in one call more, to sum up what it has learnt of itself;
    later prompts tell that in the place of the rounds it sums up. null: never. Needs a language model."""
    shown: Literal["shuffled", "slate"] = "shuffled"
    """Order of the candidates in the prompt: shuffled by a seed per user, or best first as recommended."""
    ask: Literal["listwise", "pointwise", "permuted"] = "listwise"
    """listwise: one call, which accepts and ranks; pointwise: one for each candidate, ranked by the probability of yes;
    permuted: the listwise call in several drawn orders, merged."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of pointwise: a candidate is accepted if yes, against no, is more probable than this."""
    probability: Literal["logprobs", "text"] = "logprobs"
    """Of pointwise: taken from the log probabilities of tokens, and a server that gives none ends the run; or from the text
    alone, yes as 1 and no as 0, so that most candidates are equal."""
    permutations: Annotated[int, Field(ge=2)] = 3
    """Of permuted: orders, and so calls of a turn."""

    neutralise: bool = True
    """Take out of titles what could speak as the prompt or as the answer: control and invisible characters, line breaks, asked
    phrases, ids in brackets, reasoning tags. Off, titles are told as they are, to measure what that would cost."""
    constrain: bool = False
    """Of templates that ask for JSON: send the JSON Schema of the reply with each call (response_format), so that a server that
    can be held to one gives nothing else."""

    @field_validator("reflect_every")
    @classmethod
    def _rounds_are_remembered(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("remember") != "all":
            raise ValueError(
                "should be null unless prompts.remember is all: there is nothing to sum up otherwise"
            )
        return value

    @field_validator("ask")
    @classmethod
    def _several_calls_draw_orders(cls, value: str, info: ValidationInfo) -> str:
        if value != "listwise" and info.data.get("shown") == "slate":
            raise ValueError(
                f"should be listwise where prompts.shown is slate: {value} has no one order to show, and draws its own"
            )
        return value


class Slates(Section):
    """Where the candidates come from that the users are asked about."""

    source: Literal["recommender", "held_out"] = "recommender"
    """recommender: the 2N that it proposes. held_out: items of validation and test that the user liked, among m times as many
    others (the 1:m task of fidelity); histories end with train, no recommender is trained, nothing is refined."""
    m: Count = 1
    """Others for each liked item."""
    others: Literal["random", "matched", "disliked"] = "matched"
    """Items the user is not known to have seen, at random or next to the liked ones by train popularity; or items it rated
    below data.min_rating."""
    size: Annotated[int, Field(ge=2)] = 20
    """Items of a slate at most: as many whole groups of one liked item and its m others as fit."""

    @field_validator("size")
    @classmethod
    def _holds_a_group(cls, value: int, info: ValidationInfo) -> int:
        m = info.data.get("m", 1)
        if value < 1 + m:
            raise ValueError(f"should be {1 + m} or more: one liked item and its m = {m} others")
        return value

    @property
    def liked_count(self) -> int:
        """Liked items of a slate."""
        return self.size // (1 + self.m)

    @property
    def others_count(self) -> int:
        """Others of a slate."""
        return self.m * self.liked_count


class Injection(Section):
    """A planted item in every slate, by whose title the prompt may be attacked."""

    attack: str | None = None
    """null: nothing is planted; none: an item under its own title, the control; or the name of a shipped attack (override,
    ranking, system, flattery, urgency, number, thought, hidden), or FILE:NAME of a YAML file of yours."""


class Refinement(Section):
    """How 2N candidates and an answer become the N that are shown."""

    policy: Annotated[str, named("fuse", "replace")] = "fuse"
    """fuse corrects the recommender's score by the answer's order; replace takes the answer's order; or module:Class."""
    weight: Share | Literal["validation"] = "validation"
    """Of the answer in fuse: 0 is the recommender alone, 1 the answer alone; validation chooses it on some users."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the users on whose validation turns the weight is chosen."""
    repair: Literal["append", "random", "drop"] = "append"
    """Candidates that a ranking leaves out follow it in slate order, at random, or the turn counts as failed."""
    fallback: Literal["recommender"] = "recommender"
    """What intent-to-treat shows where a turn failed: the recommender's own top N."""


class Engine(Section):
    """Where the users are played; changes the time a run takes, never its result."""

    kind: Literal["local", "ray"] = "local"
    """local: in this process; ray: shared among actors of a Ray cluster (docs/cluster.md)."""
    actors: Count = 2
    """Of ray: how many, each with a part of the users, a processor, and a part of users.concurrency."""
    address: str | None = None
    """Of ray: the address of a cluster of which this machine is one, such as 10.0.0.5:6379 or auto; null: a cluster of this machine
    alone, for the time of the run."""

    @field_validator("address")
    @classmethod
    def _of_a_member(cls, value: str | None) -> str | None:
        if value is not None and (not value or "://" in value or "@" in value):
            raise ValueError(
                "should be auto, or host and port of a cluster of which this machine is one, such as 10.0.0.5:6379 (ray:// reaches a "
                "cluster from outside, where its machines cannot see the run directory)"
            )
        return value


class Tolerance(Section):
    """When a complete run still counts as failed."""

    failed: Share = 0.05
    """Share of turns without a decision above which the exit code is 3."""


_OF_AN_ARM = (
    "prompts",
    "injection",
    "users",
    "refinement",
    "cold_start",
    "slates",
    "recommender",
    "features",
    "population",
    "learning",
)
_SHARED = frozenset(
    {
        "users.count",
        "users.cache",
        "slates.source",
        "population.pages",
        "population.newcomers",
        "population.newcomer_history",
    }
)


def _changeable(key: str) -> str:
    section, _, rest = key.partition(".")
    if section not in _OF_AN_ARM or not all(rest.split(".")):
        raise ValueError(
            f"should be a dotted key below {', '.join(_OF_AN_ARM)}, such as prompts.feedback; all else is shared by the arms"
        )
    if key in _SHARED:
        raise ValueError(
            "should stand outside of the arms, which share it: they ask the same users, and compare the same measures"
        )
    return key


def _of_recommender(key: str) -> bool:
    return key.partition(".")[0] in {"recommender", "features"}


_Key = Annotated[str, AfterValidator(_changeable)]


class Scenario(Setup):
    """One study, complete: two runs of equal scenarios on equal data give equal results."""

    model_config = ConfigDict(extra="forbid")

    users: Users
    """Who answers."""
    prompts: Prompts = Prompts()
    """What they are told."""
    cold_start: ColdStart = ColdStart()
    """How much of them is known."""
    slates: Slates = Slates()
    """What they are asked about."""
    injection: Injection = Injection()
    """What is planted among it."""
    rounds: Count = 1
    """Rounds of propose, ask, refine."""
    population: Population = Population()
    """Who is there in each of them."""
    learning: Annotated[Learning, Field(validate_default=True)] = Learning()
    """What the recommender makes of the answers."""
    n: Count = 10
    """Length N of the final list; 2N are proposed."""
    cutoffs: PositiveInts = (1, 5, 10)
    """Metrics are taken at these, increasing, none above n."""
    refinement: Annotated[Refinement, Field(validate_default=True)] = Refinement()
    """How the answers are used."""
    engine: Engine = Engine()
    """Where they are played."""
    tolerance: Tolerance = Tolerance()
    """When failures are too many."""
    arms: Annotated[dict[str, dict[_Key, JsonValue]] | None, AfterValidator(some_arm)] = None
    """What is compared: by name, the dotted keys that an arm changes. The first is what the others are compared with; all
    have the same users, targets, seeds and shown orders, and the same slates where they have the same recommender."""
    sweep: Annotated[
        dict[_Key, Annotated[tuple[JsonValue, ...], Field(strict=False)]] | None, AfterValidator(either)
    ] = None
    """Instead of arms: a dotted key and its values, one arm for each; of several keys their product."""
    traffic: Annotated[Traffic | None, Field(validate_default=True)] = None
    """Several recommenders before one population, instead of one; null: the scenario's own alone."""
    replicates: Count = 1
    """How often every user is asked about each test slate, each time with a draw of its own; a user's metrics are averaged
    over them. Validation turns are played once."""
    study: StudyPlan | None = None
    """What is declared of the comparison of arms, before anybody is asked; null: the defaults, and nothing declared."""

    @field_validator("cutoffs")
    @classmethod
    def _within_n(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        n = info.data.get("n")
        if n is not None and max(value) > n:
            raise ValueError(f"should not exceed the n = {n} places of the final list, as {max(value)} does")
        return increasing(value)

    @field_validator("rounds")
    @classmethod
    def _one_slate(cls, value: int, info: ValidationInfo) -> int:
        slates = info.data.get("slates")
        if slates is not None and slates.source == "held_out" and value > 1:
            raise ValueError(f"should be 1: a user has one slate of held-out items, not {value}")
        return value

    @field_validator("population")
    @classmethod
    def _whole_sessions(cls, value: Population, info: ValidationInfo) -> Population:
        rounds = info.data.get("rounds")
        if rounds is not None and rounds % value.pages:
            raise ValueError(f"should have pages that divide the rounds, as {value.pages} does not {rounds}")
        return value

    @field_validator("learning")
    @classmethod
    def _somebody_learns(cls, value: Learning, info: ValidationInfo) -> Learning:
        slates = info.data.get("slates")
        if value.retrain_every is not None and slates is not None and slates.source == "held_out":
            raise ValueError(
                "should have no retrain_every: slates of held-out items have no recommender to train"
            )
        return value

    @field_validator("traffic")
    @classmethod
    def _one_control(cls, value: Traffic | None, info: ValidationInfo) -> Traffic | None:
        if value is None:
            return None
        slates = info.data.get("slates")
        if slates is not None and slates.source == "held_out":
            raise ValueError("should be null: slates of held-out items have no recommender")
        keys = {key for arm in (info.data.get("arms") or {}).values() for key in arm}
        if found := [key for key in (*keys, *(info.data.get("sweep") or ())) if _of_recommender(key)]:
            raise ValueError(
                f"should be null where arms change {min(found)}: all arms have the recommenders that share the traffic"
            )
        return value

    @field_validator("refinement")
    @classmethod
    def _nothing_to_refine(cls, value: Refinement, info: ValidationInfo) -> Refinement:
        slates = info.data.get("slates")
        if slates is not None and slates.source == "held_out" and value.policy != "replace":
            raise ValueError(
                "should be {policy: replace}: slates of held-out items have no recommender's scores to correct"
            )
        return value

    @property
    def list_length(self) -> int:
        """Places of a final list: n, or the whole slate where held-out items make it, since nothing is cut off there."""
        slates = self.slates
        return self.n if slates.source == "recommender" else slates.liked_count + slates.others_count
