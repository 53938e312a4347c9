"""What a scenario says of data, features and the recommender: all that training and evaluating one needs.

No torch here, and no model: a scenario is checked before either is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from scenarios.arms import KEYS, either, some_arm
from scenarios.section import (
    Count,
    FilePath,
    Positive,
    PositiveInts,
    Section,
    Seed,
    Share,
    increasing,
    named,
)

_ONE_REPLICATE = 1
MODELS = tuple(
    "popularity itemknn ease ease-recent bprmf svdpp vbpr lightgcn mmgcn mmgcl mcln sasrec comirec umi uim uim-faithful".split()
)
"""The names of `recommender.models.REGISTRY`."""


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


class Data(Section):
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
    path: Annotated[FilePath | None, Field(validate_default=True)] = None
    """Folder of the source, or the YAML file of a table. Left out, where the source is neither atomic nor a table: the
    folder named like it in $SCREENTEST_DATA."""
    domain: Literal["movies", "books", "products", "fashion"] | None = None
    """What the items are, for the words of prompts ("watched", "movies"); null: as the source says, products where it does not."""
    seed: Seed = 0
    """Of the generator of embedded data."""
    generated_users: Annotated[int, Field(ge=2)] = 600
    """People that it makes, with ratings in proportion, of the same 400 items; about a millisecond each."""
    tolerance: Share = 0.001
    """Share of malformed lines of a file up to which it is read without them; they are counted and shown."""
    texts: FilePath | None = None
    """CSV of texts of items (plots, reviews ...): item ids in the first column, texts in the others; added to descriptions."""
    images: FilePath | None = None
    """Folder of pictures of items, named ITEM_ID.jpg (or jpeg, png, webp, gif)."""
    min_rating: Annotated[float, Field(ge=0)] = 3.0
    """Ratings at or above it are positives; those below are known negatives, never targets. What has no rating is
    positive."""
    core: Annotated[int, Field(ge=0)] = 5
    """Users and items with fewer positives are dropped, repeatedly; 0 keeps all."""
    max_users: Count | None = None
    """Keep so many users, drawn with the scenario's seed; null keeps all."""
    split: Literal["ratio", "leave-one-out", "global-time"] = "ratio"
    """What is held out: each user's last tenths (train, validation, test as 8:1:1), each user's last two interactions, or
    everything after one instant for all users."""
    negatives: Annotated[Count | None, Field(validate_default=True)] = None
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


class Features(Section):
    """What the recommender knows of an item besides who took it. A model that does not read a modality does not get it."""

    text: Annotated[str, _feature("tfidf", "none", "sentences:")] = "tfidf"
    """tfidf (TF-IDF and truncated SVD), sentences:MODEL (a sentence-transformers model, by path or hub name), a .npz or
    .npy file of vectors, or none."""
    visual: Annotated[str, _feature("none", "efficientnet-lite0", "timm:", "clip:")] = "none"
    """efficientnet-lite0, timm:MODEL or clip:MODEL (by name or path) encode the pictures; or a .npz or .npy file; or none."""


class Training(Section):
    """How the recommender is trained; ignored by models without parameters."""

    max_epochs: Count = 50
    """Passes over the training examples at most."""
    patience: Count = 3
    """Epochs without a better validation NDCG@10 before training stops."""
    batch_size: Count = 1024
    """Examples a step."""
    learning_rate: Positive = 1e-3
    """Of Adam."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """The lambda of Eq. 13."""
    evaluate_every: Count = 1
    """Epochs between two validations."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises from zero."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Of the learning rate after that; cosine falls to zero at max_epochs."""
    clip_norm: Positive | None = None
    """Longest gradient; null leaves them as they are."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the loss; weights and evaluation are fp32."""
    compile: bool = False
    """Run the loss through torch.compile."""


class Recommender(Section):
    """Who proposes the 2N candidates."""

    model: Annotated[str, named(*MODELS)]
    """A shipped model by name, or a plug-in as module:Class."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields of the model's own configuration."""
    training: Training = Training()
    """The training loop."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes CUDA where there is one."""
    seed: Seed | None = None
    """Of the first weights and the order of examples; null is the scenario's. Replicates of a study differ in it alone."""


class Setup(Section):
    """The part of a scenario that is about the recommender; sections about its audience are carried along, unread."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    """Names the run's folder: letters, digits, dot, dash, underscore."""
    seed: Seed = 0
    """Of everything random but the generated data."""
    data: Data
    """Ratings."""
    features: Features = Features()
    """Text and pictures of the items."""
    recommender: Recommender
    """Who proposes."""

    @property
    def training_seed(self) -> int:
        """The seed of the recommender's training."""
        return self.seed if self.recommender.seed is None else self.recommender.seed

    @model_validator(mode="before")
    @classmethod
    def _one_arm(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        # Written out with its defaults, a scenario that compares nothing has the keys as well.
        found = [
            key
            for key in KEYS
            if key not in cls.model_fields and value.get(key) not in (None, _ONE_REPLICATE)
        ]
        if found:
            raise ValueError(
                f"should not hold {' and '.join(sorted(found))} here, where one recommender is trained: a study of several is "
                "run by python -m recommender.study, or, with an audience, by python -m simulator.run"
            )
        return value


class ColdStart(Section):
    """Truncation of the users' histories (Table V)."""

    lengths: PositiveInts | None = (5, 10, 30)
    """The newest so many interactions are kept, every user served at each length; null keeps whole histories."""

    @field_validator("lengths")
    @classmethod
    def _distinct(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if value is None else increasing(value)


def _changeable(key: str) -> str:
    section, _, rest = key.partition(".")
    if section not in {"data", "features", "recommender"} or not all(rest.split(".")):
        raise ValueError(
            "should be a dotted key below data, features or recommender, such as recommender.params.dim"
        )
    if key == "recommender.seed":
        raise ValueError("should be left to replicates, which give every arm the same seeds")
    return key


_Key = Annotated[str, AfterValidator(_changeable)]


class Study(Setup):
    """Several recommenders, trained and tested side by side."""

    replicates: Count = 1
    """Trainings of each arm, with the seeds seed, seed + 1, ... in all arms alike; the metrics of a user are averaged over
    them."""
    arms: Annotated[dict[str, dict[_Key, JsonValue]] | None, AfterValidator(some_arm)] = None
    """What is compared: by name, the dotted keys that an arm changes. The first arm is what the others are compared with."""
    sweep: Annotated[
        dict[_Key, Annotated[tuple[JsonValue, ...], Field(strict=False)]] | None,
        Field(validate_default=True),
        AfterValidator(either),
    ] = None
    """Instead of arms: a dotted key and its values, one arm for each; of several keys their product."""
    cold_start: ColdStart | None = None
    """Serve every trained arm with shortened histories as well; left out, with whole ones only."""
    cutoffs: PositiveInts = (10, 50)
    """HR and NDCG are taken at these, increasing; figures draw the first."""

    @field_validator("sweep")
    @classmethod
    def _something_to_compare(
        cls, value: dict[str, tuple[JsonValue, ...]] | None, info: ValidationInfo
    ) -> dict[str, tuple[JsonValue, ...]] | None:
        # An arm that is wrong is told already; it is not a second mistake that there is none.
        if value is None and "arms" in info.data and info.data["arms"] is None:
            raise ValueError(
                "should hold arms or a sweep to compare; one recommender alone is trained by python -m recommender.train"
            )
        return value

    @field_validator("cutoffs")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return increasing(value)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The shortened histories that are tried; none for whole ones only."""
        return (self.cold_start.lengths or ()) if self.cold_start else ()
