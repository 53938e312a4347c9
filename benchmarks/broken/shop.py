"""A small shop in every format that is read: 1,000 users, 1,000 items and 3,000 interactions, all of them good."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from benchmarks.broken.cases import Case, Read
from recommender.data import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.broken.cases import Counted, Refused, Sandbox, Whole
    from recommender.data import Dataset

SIZE = 1_000
"""Users, and items: one broken line of each is within the tolerance of 0.001."""
_START = datetime(2014, 1, 1, tzinfo=UTC)

_Line = Callable[[str, str, str, str], str]
"""User, item, stars and time as a line of a log."""
Row = tuple[str, str, float | None, int]
"""User, item, stars, seconds."""


@dataclass(frozen=True, eq=False)
class Form:
    """The shop in one format."""

    entry: str
    source: str
    """As `load` calls it."""
    files: Mapping[str, bytes]
    log: str
    """The file with the interactions."""
    items: str
    """The file that says what the items are."""
    line: _Line = "{},{},{},{}".format
    """A line of `log` with user, item, stars and time."""
    path: str = ""
    """What `load` is given, below the folder of the files."""
    stars: bool = True
    outfits: int = 0
    titles: Callable[[int], str] = "Thing {} (1999)".format

    def write(self, sandbox: Sandbox) -> None:
        """All files, as they should be."""
        for name, content in self.files.items():
            (sandbox.data / name).write_bytes(content)

    def case(
        self,
        kind: str,
        fault: Callable[[Path], None],
        expects: Refused | Counted | Whole,
        file: str = "",
        *,
        slow: bool = False,
    ) -> Case:
        """The case of one `fault` in one `file` (default: the log)."""
        name = file or self.log

        def prepare(sandbox: Sandbox) -> None:
            self.write(sandbox)
            fault(sandbox.data / name)

        return Case(kind, f"{self.entry}: {name}", expects, prepare, self.read, slow)

    def read(self, sandbox: Sandbox) -> Read:
        """Load the shop twice, from its files and from the cache."""
        first = self._compared(load(self.source, sandbox.data / self.path))
        second = self._compared(load(self.source, sandbox.data / self.path))
        if first != second:
            raise AssertionError(f"from the cache comes {second}, from the files came {first}")
        return first

    def _compared(self, dataset: Dataset) -> Read:
        inter = dataset.interactions
        users, items = dataset.users["user_id"].tolist(), dataset.items["item_id"].tolist()
        stars: list[float | None] = inter.rating.tolist() if self.stars else [None] * len(inter)
        columns = zip(inter.user.tolist(), inter.item.tolist(), stars, inter.time.tolist(), strict=True)
        found = Counter((users[user], items[item], star, time) for user, item, star, time in columns)
        wanted = _WANTED[self.stars]
        titles = dict(zip(items, dataset.items["title"], strict=True))
        untitled = sum(titles.get(str(k)) != self.titles(k) for k in range(1, SIZE + 1))
        return Read(
            (wanted - found).total() + untitled + max(self.outfits - len(dataset.match_sets), 0),
            (found - wanted).total() + len(users) - SIZE,
            sum(each.count for each in dataset.skipped if each.kind == "malformed"),
            sum(each.count for each in dataset.skipped if each.kind == "repeated"),
            dataset.skipped[0].first[0] if dataset.skipped else "",
        )


@dataclass(frozen=True)
class _Bought:
    user: int
    item: int
    stars: int
    day: datetime

    @property
    def time(self) -> int:
        return int(self.day.timestamp())


# Users in the order of their numbers, and so are the items of the first 1,000 rows; time goes by days.
_ROWS = tuple(
    _Bought(k % SIZE + 1, (k + 7 * (k // SIZE)) % SIZE + 1, k % 5 + 1, _START + timedelta(days=k % 700))
    for k in range(3 * SIZE)
)


_WANTED: dict[bool, Counter[Row]] = {
    stars: Counter(
        (str(row.user), str(row.item), float(row.stars) if stars else None, row.time) for row in _ROWS
    )
    for stars in (True, False)
}
"""What a reader has to give, with stars and without."""


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _log(line: _Line, *header: str) -> bytes:
    return _text(
        [*header, *(line(str(row.user), str(row.item), str(row.stars), str(row.time)) for row in _ROWS)]
    )


_TABS: _Line = "{}\t{}\t{}\t{}".format
_NUMBERS = range(1, SIZE + 1)
_TITLES = [f"Thing {k} (1999)" for k in _NUMBERS]

ML_1M = Form(
    "ml-1m",
    "ml-1m",
    {
        "ratings.dat": _log("{}::{}::{}::{}".format),
        "users.dat": _text(f"{k}::F::25::4::02139" for k in _NUMBERS),
        "movies.dat": _text(f"{k}::{title}::Drama|Comedy" for k, title in enumerate(_TITLES, 1)),
    },
    "ratings.dat",
    "movies.dat",
    line="{}::{}::{}::{}".format,
)
ML_100K = Form(
    "ml-100k",
    "ml-100k",
    {
        "u.data": _log(_TABS),
        "u.user": _text(f"{k}|24|M|technician|85711" for k in _NUMBERS),
        "u.item": _text(f"{k}|{title}|01-Jan-1999||{'|0' * 19}" for k, title in enumerate(_TITLES, 1)),
    },
    "u.data",
    "u.item",
    line=_TABS,
)
ML_20M = Form(
    "ml-20m",
    "ml-20m",
    {
        "ratings.csv": _log("{},{},{},{}".format, "userId,movieId,rating,timestamp"),
        "movies.csv": _text(
            ["movieId,title,genres"] + [f'{k},"{title}",Drama' for k, title in enumerate(_TITLES, 1)]
        ),
    },
    "ratings.csv",
    "movies.csv",
)
ATOMIC = Form(
    "atomic",
    "atomic",
    {
        "shop.inter": _log(_TABS, "user_id:token\titem_id:token\trating:float\ttimestamp:float"),
        "shop.user": _text(["user_id:token\tgender:token"] + [f"{k}\tF" for k in _NUMBERS]),
        "shop.item": _text(
            ["item_id:token\ttitle:token_seq"] + [f"{k}\t{title}" for k, title in enumerate(_TITLES, 1)]
        ),
    },
    "shop.inter",
    "shop.item",
    line=_TABS,
)
_YAML = """\
name: Shop
interactions:
  file: bought.csv
  user: customer
  item: sku
  rating: stars
  time: at
items:
  file: goods.csv
  item: sku
  title: label
"""
CSV = Form(
    "table of CSV",
    "table",
    {
        "shop.yaml": _YAML.encode(),
        "bought.csv": _log("{},{},{},{}".format, "customer,sku,stars,at"),
        "goods.csv": _text(["sku,label"] + [f'{k},"{title}"' for k, title in enumerate(_TITLES, 1)]),
    },
    "bought.csv",
    "goods.csv",
    path="shop.yaml",
)
BOUGHT = pa.table(
    {
        "customer": [row.user for row in _ROWS],
        "sku": [row.item for row in _ROWS],
        "stars": [float(row.stars) for row in _ROWS],
        "at": [row.day for row in _ROWS],
    }
)
GOODS = pa.table({"sku": list(_NUMBERS), "label": _TITLES})


def parquet_bytes(table: pa.Table) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


ROWS = len(_ROWS)
PARQUET = Form(
    "table of Parquet",
    "table",
    {
        "shop.yaml": _YAML.replace(".csv", ".parquet").encode(),
        "bought.parquet": parquet_bytes(BOUGHT),
        "goods.parquet": parquet_bytes(GOODS),
    },
    "bought.parquet",
    "goods.parquet",
    path="shop.yaml",
)


def _amazon_2014(user: str, item: str, stars: str, time: str) -> str:
    return f'{{"reviewerID": "{user}", "asin": "{item}", "overall": {stars}, "unixReviewTime": {time}}}'


def _amazon_2023(user: str, item: str, stars: str, time: str) -> str:
    # Milliseconds; of what is no whole number, the same.
    return f'{{"user_id": "{user}", "parent_asin": "{item}", "rating": {stars}, "timestamp": {time}000}}'


AMAZON_2014 = Form(
    "amazon-2014",
    "amazon-2014",
    {
        "reviews_Shop_5.json": _log(_amazon_2014),
        "meta_Shop.json": _text(repr({"asin": str(k), "title": title}) for k, title in enumerate(_TITLES, 1)),
    },
    "reviews_Shop_5.json",
    "meta_Shop.json",
    line=_amazon_2014,
)
AMAZON_2023 = Form(
    "amazon-2023",
    "amazon-2023",
    {
        "Shop.jsonl": _log(_amazon_2023),
        "meta_Shop.jsonl": _text(
            json.dumps({"parent_asin": str(k), "title": title}) for k, title in enumerate(_TITLES, 1)
        ),
    },
    "Shop.jsonl",
    "meta_Shop.jsonl",
    line=_amazon_2023,
)


def packed(form: Form) -> Form:
    """The same with each file in gzip."""
    return replace(
        form,
        entry=f"{form.entry}, gzip",
        files={f"{name}.gz": gzip.compress(content, mtime=0) for name, content in form.files.items()},
        log=f"{form.log}.gz",
        items=f"{form.items}.gz",
    )


def _taobao(user: str, item: str, _stars: str, time: str) -> str:
    day = f"{datetime.fromtimestamp(int(time), UTC):%Y%m%d}" if time.isdigit() and len(time) == 10 else time
    return f"{user} {item} {day}"


TAOBAO = Form(
    "taobao-fashion",
    "taobao-fashion",
    {
        "user_bought_history.txt": _log(_taobao),
        "dim_items.txt": _text(f"{k} {k % 9} 1,2,3" for k in _NUMBERS),
        "dim_fashion_matchsets.txt": _text(f"{k} {k},{k % SIZE + 1};{SIZE + 1 - k}" for k in _NUMBERS),
    },
    "user_bought_history.txt",
    "dim_items.txt",
    line=_taobao,
    stars=False,
    outfits=SIZE,
    titles=lambda k: f"Item {k} (category {k % 9})",
)
