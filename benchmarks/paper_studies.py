"""The studies of the paper's section IV, one after the other, each beside what the paper printed.

Every study is a scenario that can be run by itself; here they have one folder, in which what is finished is not done again and
what was stopped is gone on with. The paper's protocol is not described (candidates, split, which users), so its figures are
claims about order, not targets.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recording import record
from recommender.configuration import Study as RecommenderStudy
from scenarios.reading import read
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel, JsonValue

_SCENARIOS = Path(__file__).parents[1] / "scenarios"
_EMBEDDED = ("data.source=embedded", "data.path=null")
_SMALL = ("recommender.training.max_epochs=3", "recommender.training.batch_size=256")
Printed = dict[str, tuple[float, ...]]
"""Row -> figures in per cent, as the paper has them."""


@dataclass(frozen=True)
class Study:
    """One table or figure of the paper."""

    name: str
    title: str
    scenario: str
    metrics: tuple[str, ...]
    printed: Printed
    by: str = "simulator.run"
    """Or recommender.study, where there is no audience, or simulator.case_study, of a run of another study."""
    of: str = ""
    """That other study, whose first arm is shown."""
    data: str = "ml-1m"
    real: tuple[str, ...] = ()
    """Overrides for the real data."""
    embedded: tuple[str, ...] = field(default=_EMBEDDED)

    @property
    def model(self) -> type[BaseModel]:
        """What its scenario is read as, where it is a run of its own."""
        return Scenario if self.by == "simulator.run" else RecommenderStudy


_ML1M = ("data.source=ml-1m",)
_LARGE = ("recommender.training.batch_size=1024", "recommender.training.schedule=cosine")
STUDIES = (
    Study(
        "table2", "Table II: the systems, alone and after the audience", "table2_audience", ("hr@10", "ndcg@10"),
        {"BPRMF": (16.39, 13.69), "SVD++": (16.77, 14.02), "ComiRec-DR": (18.92, 14.88), "UMI": (19.36, 16.07), "VBPR": (18.98, 16.55),
         "MMGCN": (20.04, 16.92), "MMGCL": (21.33, 17.45), "MCLN": (23.11, 20.25), "UiM, refined": (25.32, 22.08)},
        real=(*_ML1M, *_LARGE), embedded=_SMALL[:1],
    ),
    Study(
        "table3", "Table III: profile, several interests, audience", "table3_audience", ("hr@10", "ndcg@10"),
        {"neither (MCLN)": (66.89, 47.10), "neither (MCLN), refined": (68.95, 48.07), "profile": (67.02, 47.93), "profile, refined": (71.03, 49.92),
         "interests": (68.39, 48.04), "interests, refined": (70.24, 49.25), "profile and interests": (69.72, 48.82),
         "profile and interests, refined": (71.66, 50.15)},
        data="amazon-beauty", real=("data.source=atomic", *_LARGE), embedded=_SMALL[:1],
    ),
    Study(
        "table4", "Table IV: prompt templates", "prompt_ab", ("hr@10", "ndcg@10", "hr@20", "ndcg@20"),
        {"template b": (24.19, 20.98, 29.77, 27.89), "template a, refined": (25.32, 22.08, 30.79, 28.93), "template b, refined": (24.72, 21.49, 30.32, 28.02)},
        real=(*_ML1M, *_LARGE, "users.count=1000", "study.planned_users=1000", "recommender.training.max_epochs=4",
              "recommender.training.learning_rate=0.004", "recommender.params={negatives: 1024, shared: true, interests: 1}"),
        embedded=("recommender.training.max_epochs=6",),
    ),
    Study(
        "table5", "Table V: how little is known of a user", "cold_start_ml1m", ("hr@1", "ndcg@1", "hr@5", "ndcg@5"),
        {"history-5, refined": (13.24, 12.88, 15.09, 14.83), "history-10, refined": (14.96, 13.67, 16.41, 16.10), "history-30, refined": (16.53, 15.49, 19.35, 19.07)},
        embedded=(*_EMBEDDED, *_SMALL),
    ),
    Study("fig3", "Fig. 3: how many interests", "interests", ("hr@10", "ndcg@10"), {}, by="recommender.study", embedded=(*_EMBEDDED, *_SMALL, "replicates=1")),
    Study("fig4", "Fig. 4: how long a history", "history_length", ("hr@10", "ndcg@10"), {}, by="recommender.study", embedded=(*_EMBEDDED, *_SMALL, "replicates=1")),
    Study("fig5-7", "Fig. 5 to 7: what two users' profiles weigh in each interest", "table2_audience", (), {}, by="simulator.case_study", of="table2"),
)  # fmt: skip
"""Fig. 3 and 4 are curves whose points the paper does not print. Fig. 5 to 7 show two users of its choice, without numbers."""
_ENDS = {
    "simulator.run": "summary.json",
    "recommender.study": "results.json",
    "simulator.case_study": "case_study.json",
}
"""What each command writes last."""


def main() -> None:
    """Run what is not there yet, and print all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--data", type=Path, help="folder that holds ml-1m and amazon-beauty (default: embedded data)"
    )
    options.add_argument(
        "--folder", type=Path, default=Path("runs/paper"), help="where the studies are kept and gone on with"
    )
    options.add_argument("--only", nargs="+", choices=[study.name for study in STUDIES], help="some of them")
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="[STUDY:]KEY=VALUE",
        help="for one study, such as fig3:replicates=1, or for every one with an audience, such as users.count=100",
    )
    options.add_argument("--out", help="name of the result (default: paper-studies-DATA)")
    chosen = options.parse_args()
    settable = [study.name for study in STUDIES if not study.of]
    for override in chosen.overrides:
        if (name := _meant(override)[0]) and name not in settable:
            options.error(f"--set {name}: no such study to be set; there are {', '.join(settable)}")
    found: dict[str, Any] = {}
    for study in STUDIES:
        if chosen.only is None or study.name in chosen.only:
            found[study.name] = _done(study, chosen)
            print(
                f"\n{study.title}",
                *_lines(study, found[study.name]["rows"]),
                *(
                    f"{key}: {now!r} in place of the scenario's {was!r}"
                    for key, (was, now) in found[study.name].get("changed", {}).items()
                ),
                sep="\n",
                file=sys.stderr,
                flush=True,
            )
    data = "embedded" if chosen.data is None else "real"
    record(
        chosen.out or f"paper-studies-{data}",
        {"data": data, "studies": found},
        f"python -m benchmarks.paper_studies {' '.join(sys.argv[1:])}".strip(),
    )


def _meant(override: str) -> tuple[str, str]:
    """The study that `[STUDY:]KEY=VALUE` is for, "" for every one with an audience, and KEY=VALUE."""
    key, equals, value = override.partition("=")
    study, _, rest = key.rpartition(":")
    return study, f"{rest}{equals}{value}"


def _own(study: Study, chosen: argparse.Namespace) -> list[str]:
    """The overrides of a study: those of its data, then those that the command line has for it."""
    own = study.embedded
    if chosen.data is not None:
        own = (*study.real, f"data.path={chosen.data / study.data}")
    general = "" if study.by == "simulator.run" else study.name
    asked = [word for name, word in map(_meant, chosen.overrides) if name in (general, study.name)]
    return [*own, *asked]


def _done(study: Study, chosen: argparse.Namespace) -> dict[str, Any]:
    """The rows of a study, run or gone on with; SystemExit where it failed, with its exit code."""
    out = chosen.folder / study.name
    if not (out / _ENDS[study.by]).exists():
        chosen.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", study.by, *_arguments(study, out, chosen)]
        code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
        if code:
            raise SystemExit(
                f"{study.name} ended with exit code {code}: {' '.join(command)}; the next start goes on from here"
            )
    return {
        "title": study.title,
        "rows": _rows(study, out),
        "printed": study.printed,
        **({} if study.of else {"changed": _changed(study, out), "seconds": round(_seconds(study, out), 1)}),
    }


def _arguments(study: Study, out: Path, chosen: argparse.Namespace) -> list[str]:
    """Of its command: a new run, one that is gone on with, or the run of another study to be shown."""
    if study.of:
        run = chosen.folder / study.of
        if not (run / _ENDS["simulator.run"]).exists():
            raise SystemExit(
                f"{study.name} shows the run of {study.of}, and {run} holds none that is finished"
            )
        return [str(run), "--out", str(out)]
    if out.exists():
        return ["--resume", str(out)]
    words = [str(_SCENARIOS / f"{study.scenario}.yaml"), "--out", str(out)]
    for word in _own(study, chosen):
        words += ["--set", word]
    return words


def _changed(study: Study, out: Path) -> dict[str, tuple[JsonValue, JsonValue]]:
    """What the run's scenario says otherwise than the shipped one: dotted key -> there and here. So a shortened run tells that it is."""
    shipped, run = (
        dict(_leaves(read(study.model, file).model_dump(mode="json")))
        for file in (_SCENARIOS / f"{study.scenario}.yaml", out / "scenario.yaml")
    )
    return {
        key: (shipped.get(key), run.get(key))
        for key in {**run, **shipped}
        if shipped.get(key) != run.get(key)
    }


def _leaves(value: JsonValue, at: str = "") -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for key, under in value.items():
            yield from _leaves(under, f"{at}.{key}" if at else key)
    else:
        yield at, value


def _seconds(study: Study, out: Path) -> float:
    """What its trainings took; with an audience, what all took in the start that finished it."""
    if study.by == "simulator.run":
        parts: Mapping[str, float] = json.loads((out / "summary.json").read_bytes())["seconds"]
        return sum(parts.values())
    arms: Mapping[str, Mapping[str, Mapping[str, float]]] = json.loads((out / "timings.json").read_bytes())
    return sum(sum(parts.values()) for seeds in arms.values() for parts in seeds.values())


def _rows(study: Study, out: Path) -> dict[str, dict[str, float]]:
    if study.of:
        return _case_rows(out)
    return _audience_rows(study, out) if study.by == "simulator.run" else _recommender_rows(study, out)


def _audience_rows(study: Study, out: Path) -> dict[str, dict[str, float]]:
    """By arm, and by arm with "refined" after the audience, each metric in per cent."""
    metrics: Mapping[str, Any] = json.loads((out / "metrics.json").read_bytes())
    rows = {}
    for arm, lists in metrics.items():
        for name, words in (("recommender", arm), ("refined", f"{arm}, refined")):
            rows[words] = {metric: round(100 * lists[name][metric]["mean"], 2) for metric in study.metrics}
    return rows


def _recommender_rows(study: Study, out: Path) -> dict[str, dict[str, float]]:
    results: Mapping[str, Any] = json.loads((out / "results.json").read_bytes())
    return {
        arm: {metric: round(100 * told["metrics"][metric]["mean"], 2) for metric in study.metrics}
        for arm, told in results["test"]["arms"].items()
    }


def _case_rows(out: Path) -> dict[str, dict[str, float]]:
    """The weights of Eq. 9 by user and interest, in per cent."""
    told: Mapping[str, Any] = json.loads((out / "case_study.json").read_bytes())
    return {
        f"user {case['user_id']}, interest {interest['number']}": {
            name: round(100 * weight, 2) for name, weight in interest["weights"].items()
        }
        for case in told["cases"]
        for interest in case["interests"]
    }


def _lines(study: Study, rows: Mapping[str, Mapping[str, float]]) -> Sequence[str]:
    """Ours, and the paper's where it printed any, in per cent."""
    width = max(map(len, rows))
    columns = list(next(iter(rows.values())))
    heads = "  ".join(f"{column.upper():>8}" for column in columns)
    lines = [f"{'':{width}}  {heads}{'   the paper, other protocol' if study.printed else ''}"]
    for name, told in rows.items():
        ours = "  ".join(f"{told[column]:{max(8, len(column))}.2f}" for column in columns)
        theirs = "  ".join(f"{value:.2f}" for value in study.printed.get(name, ()))
        lines.append(f"{name:{width}}  {ours}   {theirs}".rstrip())
    return lines


if __name__ == "__main__":
    main()
