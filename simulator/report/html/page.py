"""A finished run as one HTML file that opens from the disk, and its figures and tables as files for a paper."""

from __future__ import annotations

import difflib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import altair as alt
import jinja2
import pandas as pd
import vl_convert
from markupsafe import Markup

from recommender.study.style import ACCENT, INK, MUTED
from recommender.trained_directory import read_json, whole_file
from simulator.report.figures import figures
from simulator.report.tables import tables
from simulator.report.transcripts import MOST_TURNS, transcripts
from simulator.report.words import cautions, findings
from simulator.scenario import arms_of, load
from simulator.transcript.directory import RunDirectory
from simulator.transcript.items import read_items, titles_of
from simulator.transcript.journal import CallJournal
from simulator.transcript.turns import TranscriptError, read_turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from simulator.report.figures import Figure
    from simulator.report.tables import Table
    from simulator.transcript.turns import Turn

REPORT = "report.html"
_THEMED = {
    INK: "currentColor",
    ACCENT: "var(--mark)",
    MUTED: "var(--muted)",
    "#e6e6e6": "var(--grid)",
    "#000": "currentColor",
    "black": "currentColor",
}
"""Colours of figures that follow the page's light or dark theme."""
_MADE_IDS = re.compile(r'(?:(?<= id=")|(?<=url\(#))(clip|gradient_|gradient)\d+\b')
"""Where Vega names and refers to something, not in the words of a figure: an arm may be called clip1."""
_LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
_PIXELS = 3
"""Of a PNG for each point: sharp on paper."""


def write_page(path: Path) -> Path:
    """Write report.html of the finished run in `path`, from the run directory alone; equal runs give equal bytes.

    TranscriptError if there is no finished run.
    """
    run = _finished(path)
    scenario = load(run.scenario)
    summary, metrics = read_json(run.summary), read_json(run.metrics)
    turns = [turn for turn in read_turns(run.turns) if turn.phase == "test"]
    titles = titles_of(read_items(run.items)) if run.items.is_file() else {}
    with CallJournal(run.calls, "read") as journal:
        browser = transcripts(turns, journal, titles)
        prompts = _prompts(turns, journal)
    page = _template().render(
        name=scenario.name,
        data=summary["data"],
        audiences=list(
            dict.fromkeys(told["client"] for told in (summary.get("arms") or {"": summary}).values())
        ),
        users=len({turn.user_id for turn in turns}),
        arms=[arm.name or "the one arm" for arm in arms_of(scenario)],
        findings=findings(summary),
        cautions=cautions(summary),
        figures=[(figure, _svg(figure)) for figure in figures(summary, metrics, _per_user(run))],
        tables=list(tables(summary, metrics)),
        prompts=prompts,
        provenance=_provenance(run),
        scenario=run.scenario.read_text(encoding="utf-8"),
        browser=browser,
        index=_script(browser.index),
        most=MOST_TURNS,
    )
    out = path / REPORT
    with whole_file(out) as file:
        file.write(page.encode("utf-8"))
    return out


def write_figures(path: Path, folder: Path) -> list[Path]:
    """Write each figure as SVG, PNG, PDF and Vega-Lite, and each table as Markdown, LaTeX and Parquet; the files written."""
    run = _finished(path)
    summary, metrics = read_json(run.summary), read_json(run.metrics)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures(summary, metrics, _per_user(run)):
        spec = _spec(figure)
        for ending, content in (
            ("vl.json", json.dumps(spec, indent=1, sort_keys=True).encode()),
            ("svg", vl_convert.vegalite_to_svg(spec).encode()),
            ("png", vl_convert.vegalite_to_png(spec, scale=_PIXELS)),
            ("pdf", vl_convert.vegalite_to_pdf(spec)),
        ):
            written.append(folder / f"{figure.name}.{ending}")
            written[-1].write_bytes(content)
    for table in tables(summary, metrics):
        written += _write_table(table, folder)
    return written


def _write_table(table: Table, folder: Path) -> Iterator[Path]:
    # Neither writer sees to it by itself: a sign of Markdown in a cell, and of LaTeX in the caption, whose per cent sign would take
    # the rest of its line away.
    cells = table.rows.map(lambda cell: cell.replace("|", r"\|"))
    caption = table.title.translate(_LATEX)
    texts = {
        "md": cells.to_markdown(index=False, disable_numparse=True) + "\n",
        "tex": table.rows.to_latex(index=False, escape=True, caption=caption, label=f"tab:{table.name}"),
    }
    for ending, text in texts.items():
        file = folder / f"{table.name}.{ending}"
        file.write_text(text, encoding="utf-8")
        yield file
    file = folder / f"{table.name}.parquet"
    table.numbers.to_parquet(file, index=False)
    yield file


def _finished(path: Path) -> RunDirectory:
    run = RunDirectory.begun(path)
    if not run.complete:
        raise TranscriptError(
            f"{path}: this run is not finished; finish it first: python -m simulator.run --resume {path}"
        )
    return run


def _per_user(run: RunDirectory) -> pd.DataFrame:
    if not run.per_user.is_file():
        raise TranscriptError(
            f"{run.per_user}: no such file; replay the run to have it again: python -m simulator.run --replay {run.path}"
        )
    return pd.read_parquet(run.per_user)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simulator.report.html", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = files("simulator.report.html")
    for name in ("page.css", "browser.js"):
        # Our own files, and the only text that is not escaped but for the figures.
        environment.globals[name.replace(".", "_")] = _raw(own.joinpath(name).read_text(encoding="utf-8"))
    return environment.get_template("page.html.jinja")


def _raw(text: str) -> Markup:
    """Text that is to stand as it is: our own files, JSON without `<`, and figures, in which Vega escapes all text."""
    return Markup(text)  # noqa: S704


def _script(value: Mapping[str, Any]) -> Any:
    """JSON inside a script element: no `<`, so that no title can end it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return _raw(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _spec(figure: Figure) -> dict[str, Any]:
    """Vega-Lite, with all its data: Altair refuses more than 5,000 rows, which a few thousand users in several arms have."""
    with alt.data_transformers.disable_max_rows():
        spec: dict[str, Any] = figure.chart.to_dict()
    return spec


def _svg(figure: Figure) -> Any:
    """A figure in the page's own colours; Vega escapes what is text in it."""
    svg = vl_convert.vegalite_to_svg(_spec(figure))
    svg = svg.replace('fill="white"', 'fill="none"')
    for colour, themed in _THEMED.items():
        for attribute in ("fill", "stroke"):
            svg = svg.replace(f'{attribute}="{colour}"', f'{attribute}="{themed}"')
    # Vega numbers clips and gradients for as long as the process lives: here they count in their figure.
    numbers: dict[str, str] = {}

    def renumbered(found: re.Match[str]) -> str:
        return numbers.setdefault(found.group(), f"{figure.name}-{found.group(1)}{len(numbers)}")

    return _raw(_MADE_IDS.sub(renumbered, svg))


def _prompts(turns: Sequence[Turn], journal: CallJournal) -> list[dict[str, Any]]:
    """The prompt of the first user in each arm, and how it differs from that of the first arm.

    Where that user never came to an arm, its prompt is another's, and is told whole: what differs would be the user.
    """
    found: list[dict[str, Any]] = []
    first = {turn.arm: turn for turn in reversed(turns)}
    of_first_user = {turn.arm: turn for turn in reversed(turns) if turn.user_id == turns[0].user_id}
    for arm in dict.fromkeys(turn.arm for turn in turns):
        turn = of_first_user.get(arm, first[arm])
        record = journal.get(turn.requests[0])
        if record is None:
            continue
        text = "\n\n".join(f"[{message.role}]\n{message.content}" for message in record.request.messages)
        told: dict[str, Any] = {"arm": arm, "user": turn.user_id, "text": text, "diff": []}
        if found and found[0]["user"] == turn.user_id:
            told["diff"] = _diff(found[0]["text"], text)
        found.append(told)
    return found


def _diff(first: str, second: str) -> list[tuple[str, str]]:
    """Kept, taken away and added pieces of a prompt, sentence by sentence; long kept ones are cut."""
    one, other = _sentences(first), _sentences(second)
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            kept = one[a:b]
            pieces.append(("same", "".join(kept) if len(kept) <= 2 else f"{kept[0]} … {kept[-1]}"))
        else:
            pieces += [("gone", "".join(one[a:b]))] * (b > a) + [("new", "".join(other[c:d]))] * (d > c)
    return pieces


def _sentences(text: str) -> list[str]:
    marked = text.replace(". ", ". \0").replace("\n", "\n\0").replace(", ", ", \0")
    return [piece for piece in marked.split("\0") if piece]


def _provenance(run: RunDirectory) -> list[tuple[str, str]]:
    """What made the run: nothing that differs between a run and its replay."""
    manifest = read_json(run.manifest)
    code = manifest.get("code")
    revision = (
        "not from a checkout"
        if code is None
        else code["revision"] + (" (with local changes)" if code["dirty"] else "")
    )
    told = [
        ("data", manifest["data"]),
        ("hash of the data", manifest["hashes"]["data"]),
        ("hash of the scenario", manifest["hashes"]["scenario"]),
        ("seed", str(manifest["seeds"]["scenario"])),
        ("code", revision),
        ("Python", manifest["python"]),
        (
            "packages",
            ", ".join(f"{name} {version}" for name, version in manifest["packages"].items() if version),
        ),
        ("models that answered", ", ".join(manifest.get("models_returned") or ["none"])),
    ]
    arms = manifest.get("arms") or {}
    for arm, entry in arms.items():
        told.append(
            (
                f"templates of {arm}",
                ", ".join(f"{name} {value[:12]}" for name, value in entry["prompts"].items()),
            )
        )
    if not arms:
        told.append(
            (
                "templates",
                ", ".join(f"{name} {value[:12]}" for name, value in manifest["hashes"]["prompts"].items()),
            )
        )
    return told
