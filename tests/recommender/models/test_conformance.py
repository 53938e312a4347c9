"""Every model that is registered keeps the contract, in every variant that takes another path."""

from typing import ClassVar

from recommender.models import REGISTRY
from recommender.testing import RecommenderConformance, TrainableConformance

UIM = {"dim": 16, "profile_dim": 4, "history": 6}


class TestPopularity(RecommenderConformance):
    model_name = "popularity"


class TestItemKNN(RecommenderConformance):
    model_name = "itemknn"
    params: ClassVar = {"neighbours": 4}


class TestEASE(RecommenderConformance):
    model_name = "ease"
    params: ClassVar = {"regularisation": 10.0}


class TestEASERecent(RecommenderConformance):
    model_name = "ease-recent"
    params: ClassVar = {"regularisation": 10.0, "recent": 2}


class TestBPRMF(TrainableConformance):
    model_name = "bprmf"
    params: ClassVar = {"dim": 16}


class TestSVDpp(TrainableConformance):
    model_name = "svdpp"
    params: ClassVar = {"dim": 16}


class TestVBPR(TrainableConformance):
    model_name = "vbpr"
    params: ClassVar = {"dim": 16, "visual_dim": 4}


class TestSASRec(TrainableConformance):
    model_name = "sasrec"
    params: ClassVar = {"dim": 16, "history": 6}


class TestSASRecSampled(TrainableConformance):
    model_name = "sasrec"
    params: ClassVar = {"dim": 16, "history": 6, "heads": 2, "blocks": 1, "negatives": 12, "popularity": 0.5}


class TestComiRec(TrainableConformance):
    model_name = "comirec"
    params: ClassVar = {"dim": 16, "history": 6, "negatives": 24}


class TestComiRecInBatch(TrainableConformance):
    model_name = "comirec"
    params: ClassVar = {"dim": 16, "history": 6, "interests": 2, "negatives": "in_batch"}


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


class TestLightGCN(TrainableConformance):
    model_name = "lightgcn"
    params: ClassVar = {"dim": 16}


class TestLightGCNWithoutPropagation(TrainableConformance):
    model_name = "lightgcn"
    params: ClassVar = {"dim": 16, "layers": 0}


class TestMMGCN(TrainableConformance):
    model_name = "mmgcn"
    params: ClassVar = {"dim": 16}


class TestMMGCNOfOneLayerAndText(TrainableConformance):
    model_name = "mmgcn"
    params: ClassVar = {"dim": 16, "layers": 1, "visual": False}


class TestMMGCL(TrainableConformance):
    model_name = "mmgcl"
    # Two layers rank the toy so well before any training that there is too little left to learn.
    params: ClassVar = {"dim": 16, "layers": 1}


class TestMMGCLWithoutPictures(TrainableConformance):
    model_name = "mmgcl"
    params: ClassVar = {"dim": 16, "visual": False}


def test_every_registered_model_is_among_them():
    suites = [each for each in globals().values() if isinstance(each, type)]
    covered = {each.model_name for each in suites if hasattr(each, "model_name")}
    assert covered == set(REGISTRY)
