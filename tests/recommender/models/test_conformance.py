"""Every model that is registered keeps the contract, in every variant that takes another path."""

from typing import ClassVar

from recommender.models import REGISTRY
from recommender.testing import RecommenderConformance, TrainableConformance

UIM = {"dim": 16, "profile_dim": 4, "history": 6}


class TestPopularity(RecommenderConformance):
    model_name = "popularity"


class TestBPRMF(TrainableConformance):
    model_name = "bprmf"
    params: ClassVar = {"dim": 16}


class TestUMI(TrainableConformance):
    model_name = "umi"
    params: ClassVar = {"dim": 16, "profile_dim": 4, "history": 6, "negatives": 20}


class TestUiM(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM


class TestUiMFaithful(TrainableConformance):
    model_name = "uim-faithful"
    params: ClassVar = UIM


class TestUiMWithoutProfile(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM | {"profile": False}


class TestUiMOfOneInterest(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM | {"multi_interest": False}


class TestUiMWithNothingOfItsOwn(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM | {"multi_interest": False, "profile": False, "graph": True, "attention": True}


class TestUiMWithoutTextAndPlaces(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM | {"text": False, "position": False, "recency": False}


class TestUiMWithEverythingElse(TrainableConformance):
    model_name = "uim"
    params: ClassVar = UIM | {
        "graph": True,
        "attention": True,
        "dropout": 0.2,
        "cosine": True,
        "temperature": 0.1,
        "item_bias": True,
        "label_aware": True,
        "diversity": 0.1,
        "negatives": 20,
        "shared": True,
    }


class TestMCLN(TrainableConformance):
    model_name = "mcln"
    params: ClassVar = {"dim": 16}


class TestMCLNWithoutGraphAndAttention(TrainableConformance):
    model_name = "mcln"
    params: ClassVar = {"dim": 16, "graph": False, "attention": False}


def test_every_registered_model_is_among_them():
    suites = [each for each in globals().values() if isinstance(each, type)]
    covered = {each.model_name for each in suites if hasattr(each, "model_name")}
    assert covered == set(REGISTRY)
