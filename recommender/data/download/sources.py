"""What can be downloaded: addresses, terms, checksums, and the files that the readers expect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from recommender.data.dataset import DataError


@dataclass(frozen=True)
class RemoteFile:
    """One file at its publisher's."""

    url: str
    sha256: str | None = None
    """Hex digits; None where neither the publisher nor a widely used public source gives one."""
    size: int | None = None
    """Bytes."""

    @property
    def name(self) -> str:
        """The last part of the address."""
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """One data set of the catalogue."""

    name: str
    """What the command line calls it."""
    title: str
    licence: str
    """What may be done with it, in a sentence or two."""
    terms: str
    """Address of the publisher's page that says so."""
    citation: str
    needed: tuple[str, ...]
    """Files without which its reader cannot work. They come to lie flat in one folder."""
    also: tuple[str, ...] = ()
    """Files that are kept too where the publisher has them."""
    files: tuple[RemoteFile, ...] = ()
    """What is fetched; empty where the publisher asks for a login."""

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return self.name.replace(":", "-")


_MOVIELENS = "https://files.grouplens.org/datasets/movielens"
_HARPER = (
    "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872"
)
_RESEARCH = "University of Minnesota (GroupLens): for research, with acknowledgement; no commercial use without permission; "
_NOT_PASSED_ON = _RESEARCH + "not to be redistributed without separate permission."
_PASSED_ON = _RESEARCH + "may be redistributed under the same conditions."


def _movielens(
    name: str,
    licence: str,
    needed: str,
    also: str,
    sha256: str | None = None,
    size: int | None = None,
) -> Source:
    return Source(
        name,
        title=f"MovieLens {name.removeprefix('ml-')}",
        licence=licence,
        terms=f"{_MOVIELENS}/{name}-README.{'txt' if name in ('ml-1m', 'ml-100k') else 'html'}",
        citation=_HARPER,
        needed=tuple(needed.split()),
        also=tuple(also.split()),
        files=(RemoteFile(f"{_MOVIELENS}/{name}.zip", sha256, size),),
    )


_TABLES, _MORE_TABLES = "ratings.csv movies.csv", "README.txt links.csv tags.csv"
_TAOBAO = Source(
    "taobao-fashion",
    title="Taobao fashion collocation (Tianchi)",
    licence="Alibaba Tianchi: for registered users, under the terms that its page shows after login.",
    terms="https://tianchi.aliyun.com/dataset/dataDetail?dataId=52",
    citation="Tianchi. 2018. Fashion collocation data on taobao.com. "
    "https://tianchi.aliyun.com/dataset/dataDetail?dataId=52",
    needed=("user_bought_history.txt", "dim_items.txt", "dim_fashion_matchsets.txt"),
)
_LISTED = (
    # The digests and sizes of ml-1m, ml-100k, ml-20m, ml-25m and ml-latest-small are those of TensorFlow Datasets
    # (tensorflow_datasets/url_checksums/movielens.txt). That of ml-1m is in Keras' and TensorFlow's examples too.
    _movielens(
        "ml-1m",
        _NOT_PASSED_ON,
        "ratings.dat users.dat movies.dat",
        "README",
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        5_917_549,
    ),
    _movielens(
        "ml-100k",
        _NOT_PASSED_ON,
        "u.data u.user u.item",
        "README u.info u.genre u.occupation",
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        4_924_029,
    ),
    _movielens(
        "ml-20m",
        _NOT_PASSED_ON,
        _TABLES,
        _MORE_TABLES,
        "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        198_702_078,
    ),
    _movielens(
        "ml-25m",
        _NOT_PASSED_ON,
        _TABLES,
        _MORE_TABLES,
        "8b21cfb7eb1706b4ec0aac394368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        261_978_986,
    ),
    # Not in TensorFlow Datasets. Many public repositories computed this digest of this size from GroupLens' file, some
    # of them beside a match with the MD5 that GroupLens publishes, d472be332d4daa821edc399621853b57.
    _movielens(
        "ml-32m",
        _PASSED_ON,
        _TABLES,
        _MORE_TABLES,
        "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
        238_950_008,
    ),
    # Replaced by its publisher from time to time, so no digest of it lasts.
    _movielens("ml-latest", _PASSED_ON, _TABLES, _MORE_TABLES),
    _movielens(
        "ml-latest-small",
        _PASSED_ON,
        _TABLES,
        _MORE_TABLES,
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        978_202,
    ),
    _TAOBAO,
)
CATALOGUE = {source.name: source for source in _LISTED}
"""Data sets with a name of their own; `find` knows the categories of Amazon as well."""

_AMAZON_TERMS = "The publisher states no licence and offers the data for research; cite the paper. "


def _amazon_2014(category: str) -> Source:
    home = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
    names = (f"reviews_{category}_5.json.gz", f"meta_{category}.json.gz")
    return Source(
        f"amazon-2014:{category}",
        title=f"Amazon product data 2014, {category.replace('_', ' ')}, 5-core",
        licence=_AMAZON_TERMS + "Reviews and pictures belong to their authors and to Amazon.",
        terms="https://jmcauley.ucsd.edu/data/amazon/index_2014.html",
        citation="J. McAuley, C. Targett, Q. Shi and A. van den Hengel. 2015. Image-based Recommendations on Styles and "
        "Substitutes. SIGIR. https://doi.org/10.1145/2766462.2767755",
        needed=names,
        files=tuple(RemoteFile(f"{home}/{name}") for name in names),
    )


def _amazon_2023(category: str) -> Source:
    home = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw"
    reviews, items = f"{category}.jsonl.gz", f"meta_{category}.jsonl.gz"
    return Source(
        f"amazon-2023:{category}",
        title=f"Amazon Reviews 2023, {category.replace('_', ' ')}",
        licence=_AMAZON_TERMS + "Reviews and pictures belong to their authors and to Amazon.",
        terms="https://amazon-reviews-2023.github.io/",
        citation="Y. Hou, J. Li, Z. He, A. Yan, X. Chen and J. McAuley. 2024. Bridging Language and Items for Retrieval and "
        "Recommendation. https://arxiv.org/abs/2403.03952",
        needed=(reviews, items),
        files=(
            RemoteFile(f"{home}/review_categories/{reviews}"),
            RemoteFile(f"{home}/meta_categories/{items}"),
        ),
    )


_RELEASES = {"amazon-2014": _amazon_2014, "amazon-2023": _amazon_2023}
KNOWN = (*CATALOGUE, "amazon-2014:CATEGORY (such as Beauty)", "amazon-2023:CATEGORY (such as All_Beauty)")
"""What `find` takes, for people."""


def find(name: str) -> Source:
    """The entry `name`; of Amazon, "amazon-2014:Beauty" with the category as the publisher's files spell it.

    Raises DataError where there is none.
    """
    release, _, category = name.partition(":")
    if release in _RELEASES and re.fullmatch(r"[A-Za-z]\w*", category, re.ASCII):
        return _RELEASES[release](category)
    if name not in CATALOGUE:
        raise DataError(f"nothing is known of {name!r}; what can be downloaded: {', '.join(KNOWN)}")
    return CATALOGUE[name]
