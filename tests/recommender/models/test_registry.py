from dataclasses import dataclass, field

import pytest
from recommender_doubles import Lookup

from recommender.models import REGISTRY, ModelError, Recommender, build, model_class
from recommender.models.bprmf import BPRMF
from recommender.models.popularity import Popularity
from recommender.testing import toy_inputs


@dataclass(frozen=True)
class TableConfig:
    """Every kind of option."""

    rows: int
    shape: tuple[int, ...] = (1, 2)
    rate: float = 0.5
    name: str = "x"
    flag: bool = False
    limit: int | None = None
    tags: list[str] = field(default_factory=list)
    either: int | str = field(default="all", metadata={"types": (str, int)})


class Table(Lookup):
    Config = TableConfig

    def __init__(self, config, inputs):
        super().__init__([[0] * inputs.items] * config.rows)
        self.config = config


HERE = f"{Table.__module__}:Table"


def make(**params):
    import sys

    # Under importmode=importlib a test module is importable by the name that pytest gave it.
    assert Table.__module__ in sys.modules
    return build(HERE, params, toy_inputs())


def test_names_lead_to_classes():
    assert REGISTRY["bprmf"] is model_class("bprmf") is BPRMF
    assert model_class("recommender.models.popularity:Popularity") is Popularity
    assert all(issubclass(each, Recommender) for each in REGISTRY.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("uimm", "unknown model 'uimm'; known are popularity, .*, uim, uim-faithful"),
        ("no_such_module:Model", "'no_such_module:Model' cannot be imported"),
        ("recommender.models:Missing", "'recommender.models:Missing' cannot be imported"),
        (":Model", "':Model' cannot be imported"),
        (".relative:Model", "'.relative:Model' cannot be imported"),
        ("recommender.models:build", "is not a subclass"),
        ("pathlib:Path", "is not a subclass"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error(name, message):
    with pytest.raises(ModelError, match=f"recommender.model: .*{message}|recommender.model: {message}"):
        model_class(name)


def test_options_reach_the_config():
    config = make(rows=2, rate=1, flag=True, limit=3, tags=["a"], shape=(3,)).config
    assert config == TableConfig(2, (3,), 1, "x", flag=True, limit=3, tags=["a"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"rows": 1, "rat": 1.0},
            "has no parameter 'rat'; it has: either, flag, limit, name, rate, rows, shape, tags",
        ),
        ({}, "needs the parameter 'rows'"),
        ({"rows": 1, "rate": "fast"}, r"recommender\.params\.rate: 'fast' is not of type float"),
        ({"rows": 1, "rate": True}, r"recommender\.params\.rate: True is not of type float"),
        ({"rows": 1, "flag": 1}, r"recommender\.params\.flag: 1 is not of type bool"),
        ({"rows": 1, "name": 1}, r"recommender\.params\.name: 1 is not of type str"),
        ({"rows": 1, "either": 0.5}, r"recommender\.params\.either: 0\.5 is not of type str or int"),
        ({"rows": 1, "either": True}, r"recommender\.params\.either: True is not of type str or int"),
        ({"rows": 1, "tags": "a"}, r"recommender\.params\.tags: 'a' is not of type list"),
    ],
)
def test_a_wrong_option_is_named(params, message):
    with pytest.raises(ModelError, match=message):
        make(**params)


def test_an_option_of_two_types_takes_both():
    assert make(rows=1, either="some").config.either == "some"
    assert make(rows=1, either=3).config.either == 3


@pytest.mark.parametrize("params", [{"dim": 8.0}, {"dim": True}, {"dim": None}])
def test_a_whole_number_is_a_whole_number(params):
    with pytest.raises(ModelError, match=r"recommender\.params\.dim: .* is not of type int"):
        build("bprmf", params, toy_inputs())
