"""What a scenario may say. Every field has its meaning below it; the JSON Schema and the editor's help come from here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SECRET = re.compile(r"(api[-_]?key|authorization|secret|password|^token$|access[-_]?token)", re.IGNORECASE)


def _named(*shipped: str) -> AfterValidator:
    """One of the shipped names, or the `module:Class` of a plug-in."""

    def check(value: str) -> str:
        if value in shipped or _REFERENCE.fullmatch(value):
            return value
        raise ValueError(f"should be {', '.join(shipped)} or a plug-in as module:Class, not {value!r}")

    return AfterValidator(check)


def _feature(*known: str) -> AfterValidator:
    """One of the names, one of the prefixes that end in ":", or a file of vectors."""

    def check(value: str) -> str:
        named = value in known or any(
            each.endswith(":") and value.startswith(each) and value != each for each in known
        )
        if named or Path(value).suffix in {".npy", ".npz"}:
            return value
        wishes = ", ".join(f"{each}MODEL" if each.endswith(":") else each for each in known)
        raise ValueError(f"should be {wishes} or a .npy or .npz file of vectors, not {value!r}")

    return AfterValidator(check)


def _secret_in(value: JsonValue) -> str | None:
    """The first key, at any depth, that looks like the name of a credential."""
    if isinstance(value, dict):
        own = next((key for key in value if _SECRET.search(key)), None)
        if own is not None:
            return own
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in map(_secret_in, parts) if found is not None), None)


# Type checks are strict ("10" is no number), but YAML has no paths and no tuples: these two take text and lists.
_Path = Annotated[Path, Field(strict=False)]
_PositiveInts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=1)]
_Seed = Annotated[int, Field(ge=0, lt=2**63)]


_MODELS = (
    "popularity itemknn ease ease-recent bprmf svdpp vbpr lightgcn mmgcn mmgcl mcln sasrec comirec umi uim uim-faithful"
).split()
"""Names in `recommender.models.REGISTRY`, which is not imported here: a misspelt key need not wait for torch."""


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Data(_Section):
    """Which ratings, and what is kept of them."""

    source: Literal[
        "embedded",
        "amazon-2014",
        "amazon-2023",
        "ml-1m",
        "ml-100k",
        "ml-20m",
        "ml-25m",
        "ml-32m",
        "ml-latest",
        "ml-latest-small",
        "taobao-fashion",
        "atomic",
        "table",
    ]
    """`embedded` is generated and synthetic; `ml-...` is MovieLens, `amazon-...` and `taobao-fashion` are what they say,
    read from a folder; `atomic` are RecBole's files, in a folder; `table` are CSV or Parquet files that a YAML file
    describes."""
    path: Annotated[_Path | None, Field(validate_default=True)] = None
    """Folder of the source, or the YAML file of a table. Left out, where the source is neither atomic nor a table: the
    folder named like it in $SCREENTEST_DATA."""
    seed: _Seed = 0
    """Of the generator of embedded data."""
    tolerance: _Share = 0.001
    """Share of malformed lines of a file up to which it is read without them; they are counted and shown."""
    texts: _Path | None = None
    """CSV of texts of items (plots, reviews ...): item ids in the first column, texts in the others; added to descriptions."""
    images: _Path | None = None
    """Folder of pictures of items, named ITEM_ID.jpg (or jpeg, png, webp, gif)."""
    min_rating: Annotated[float, Field(ge=0)] = 3.0
    """Ratings at or above it are positives; those below are known negatives, never targets. What has no rating is
    positive."""
    core: Annotated[int, Field(ge=0)] = 5
    """Users and items with fewer positives are dropped, repeatedly; 0 keeps all."""
    max_users: _Count | None = None
    """Keep so many users, drawn with the scenario's seed; null keeps all."""
    split: Literal["ratio", "leave-one-out", "global-time"] = "ratio"
    """What is held out: each user's last tenths (train, validation, test as 8:1:1), each user's last two interactions, or
    everything after one instant for all users."""
    negatives: Annotated[_Count | None, Field(validate_default=True)] = None
    """With leave-one-out: also rank each target among so many sampled items, drawn once by seed and stored in the run
    directory. null ranks over the whole catalogue only."""

    @field_validator("path")
    @classmethod
    def _fits_source(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        source = info.data.get("source")
        if value is not None and source == "embedded":
            raise ValueError(
                "should be left out: embedded data are generated; real ones are ml-1m, atomic or table, for example"
            )
        if value is None and source in {"atomic", "table"}:
            what = (
                "folder with the .inter file" if source == "atomic" else "YAML file that describes the table"
            )
            raise ValueError(f"should give as path the {what}")
        return value

    @field_validator("negatives")
    @classmethod
    def _one_target(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("split") != "leave-one-out":
            raise ValueError(
                "should be left out: sampled candidates need data.split: leave-one-out, one target a user"
            )
        return value


class Features(_Section):
    """What the recommender knows of an item besides who took it. A model that does not read a modality does not get it."""

    text: Annotated[str, _feature("tfidf", "none", "sentences:")] = "tfidf"
    """tfidf (TF-IDF and truncated SVD), sentences:MODEL (a sentence-transformers model, by path or hub name), a .npz or
    .npy file of vectors, or none."""
    visual: Annotated[str, _feature("none", "efficientnet-lite0", "timm:", "clip:")] = "none"
    """efficientnet-lite0, timm:MODEL or clip:MODEL (by name or path) encode the pictures; or a .npz or .npy file; or none."""


class Training(_Section):
    """How the recommender is trained; ignored by models without parameters."""

    max_epochs: _Count = 50
    """Passes over the training examples at most."""
    patience: _Count = 3
    """Epochs without a better validation NDCG@10 before training stops."""
    batch_size: _Count = 1024
    """Examples a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """The lambda of Eq. 13."""


class Recommender(_Section):
    """Who proposes the 2N candidates."""

    model: Annotated[str, _named(*_MODELS)]
    """popularity, itemknn, ease, ease-recent, bprmf, svdpp, vbpr, lightgcn,
    mmgcn, mmgcl, mcln, sasrec, comirec, umi, uim, uim-faithful, or a plug-in as module:Class."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields of the model's own configuration."""
    training: Training = Training()
    """The training loop."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes CUDA where there is one."""


class StandIn(_Section):
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


class Users(_Section):
    """The simulated audience and what answers for it."""

    count: _Count
    """Users simulated at each history length."""
    client: Annotated[str, _named("standin", "openai", "echo", "random", "popularity", "oracle")]
    """standin, openai (any compatible endpoint), a null user (echo, random, popularity, oracle), or module:Class."""
    model: Annotated[str | None, Field(validate_default=True)] = None
    """Model name as the endpoint knows it; needed by openai."""
    base_url: str | None = None
    """Address of a compatible endpoint, such as http://127.0.0.1:8000/v1; null is the vendor's own."""
    api_key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key (the key itself never stands in a scenario); null for a server
    that asks for none."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """Sampling parameters, sent as they are: temperature, max_tokens, seed ..."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds one attempt may take."""
    concurrency: _Count = 16
    """Calls in flight at most; changes the time a run takes, never its result."""
    attempts: _Count = 6
    """Tries of one call at most, the first included."""
    cache: bool = True
    """Take answers to equal requests of the same draw from the cache that runs share."""
    standin: StandIn = StandIn()
    """Used by the stand-in only."""

    @field_validator("model")
    @classmethod
    def _endpoint_has_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.data.get("client") == "openai":
            raise ValueError("should name a model that the endpoint knows: client openai needs users.model")
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
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
    def _keyless(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        taken = {"model", "messages"} & value.keys()
        if taken:
            raise ValueError(f"should not hold {min(taken)!r}: the run sets it, the model from users.model")
        if secret := _secret_in(value):
            raise ValueError(
                f"should not hold {secret!r}: keys come from the environment only, see users.api_key_env"
            )
        return value


class Prompts(_Section):
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
    memory_tokens: _Count = 2000
    """The history is cut to so many tokens, newest and strongest first."""
    shown: Literal["shuffled", "slate"] = "shuffled"
    """Order of the candidates in the prompt: shuffled by a seed per user, or best first as recommended."""


class ColdStart(_Section):
    """Truncation of the users' histories (Table V)."""

    lengths: _PositiveInts | None = (5, 10, 30)
    """The newest so many interactions are kept, one run of the audience for each; null keeps whole histories."""

    @field_validator("lengths")
    @classmethod
    def _distinct(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if value is None else _increasing(value)


class Refinement(_Section):
    """How 2N candidates and an answer become the N that are shown."""

    policy: Annotated[str, _named("fuse", "replace")] = "fuse"
    """fuse corrects the recommender's score by the answer's order; replace takes the answer's order; or module:Class."""
    weight: _Share | Literal["validation"] = "validation"
    """Of the answer in fuse: 0 is the recommender alone, 1 the answer alone; validation chooses it on some users."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the users on whose validation turns the weight is chosen."""
    repair: Literal["append", "random", "drop"] = "append"
    """Candidates that a ranking leaves out follow it in slate order, at random, or the turn counts as failed."""
    fallback: Literal["recommender"] = "recommender"
    """What intent-to-treat shows where a turn failed: the recommender's own top N."""


class Tolerance(_Section):
    """When a complete run still counts as failed."""

    failed: _Share = 0.05
    """Share of turns without a decision above which the exit code is 3."""


class Scenario(_Section):
    """One study, complete: two runs of equal scenarios on equal data give equal results."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    """Names the run's folder: letters, digits, dot, dash, underscore."""
    seed: _Seed = 0
    """Of everything random but the generated data."""
    data: Data
    """Ratings."""
    features: Features = Features()
    """Text and pictures of the items."""
    recommender: Recommender
    """Who proposes."""
    users: Users
    """Who answers."""
    prompts: Prompts = Prompts()
    """What they are told."""
    cold_start: ColdStart = ColdStart()
    """How much of them is known."""
    rounds: _Count = 1
    """Rounds of propose, ask, refine."""
    n: _Count = 10
    """Length N of the final list; 2N are proposed."""
    cutoffs: _PositiveInts = (1, 5, 10)
    """Metrics are taken at these, increasing, none above n."""
    refinement: Refinement = Refinement()
    """How the answers are used."""
    tolerance: Tolerance = Tolerance()
    """When failures are too many."""

    @field_validator("cutoffs")
    @classmethod
    def _within_n(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        n = info.data.get("n")
        if n is not None and max(value) > n:
            raise ValueError(f"should not exceed the n = {n} places of the final list, as {max(value)} does")
        return _increasing(value)


def _increasing(values: tuple[int, ...]) -> tuple[int, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"should increase and not repeat: {sorted(set(values))}")
    return values
