"""case_study.md and case_study.json: the tables, the dialogue and the numbers behind the figures."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from recommender.trained_directory import write_text
from simulator.case_study.figures import case_figures, write_case_figures
from simulator.case_study.words import fenced, markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from simulator.case_study.cases import Case, CaseStudy, Said

_WEIGHTS = (
    "How much each field of the profile matters to each interest: x_k of Eq. 9, a sigmoid. An interest's genres are those that its "
    "history items have more often than the user's others."
)
_FAR = 1e-3
"""A score that differs by more was not given by this model on these data."""


def write_case_study(study: CaseStudy, folder: Path, figures: Path) -> list[Path]:
    """Write all files, the figures into `figures`; those written, the Markdown first."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = write_case_figures(study, figures)
    text, numbers = folder / "case_study.md", folder / "case_study.json"
    write_text(text, document(study, os.path.relpath(figures, folder).replace(os.sep, "/")))
    # In ASCII: a reply may hold what UTF-8 cannot.
    write_text(numbers, json.dumps(asdict(study), indent=1, allow_nan=False) + "\n")
    return [text, numbers, *drawn]


def document(study: CaseStudy, figures: str = ".") -> str:
    """The Markdown; `figures` is the folder of the figures, from where it lies."""
    users = " and ".join(markdown(case.user_id) for case in study.cases)
    told = list(case_figures(study))
    # Quoted: a space or a bracket in the name of a folder would end the address.
    images = [f"![{each.title}]({quote(figures)}/{each.name}.svg)".replace("(./", "(") for each in told]
    parts = [
        f"# Case study: users {users} on {markdown(study.data)}",
        _heading(study),
        "## Profile weights (the paper's Fig. 5)",
        images[0],
        _WEIGHTS,
        *(part for case in study.cases for part in (f"### User {markdown(case.user_id)}", _weights(case))),
        f"### All {study.users:,} simulated users",
        "Mean and standard deviation over users, against which two users are to be read.",
        _population(study),
        "## Interests (Fig. 6)",
        images[1],
        _use(study),
        *(part for case in study.cases for part in _items(case)),
        "## The simulated user (Fig. 7)",
        images[2],
        *(part for case in study.cases for part in _dialogue(case, study)),
    ]
    return "\n\n".join(parts) + "\n"


def _heading(study: CaseStudy) -> str:
    lines = [
        f"- recommender: {markdown(study.model)}, arm {markdown(study.arm)}, first round of the test",
        f"- audience: {markdown(study.client)}",
        f"- users: {markdown(study.chosen_by)}, of {study.users:,} simulated",
    ]
    if study.score_distance > _FAR:
        lines.append(
            f"- **the recorded scores are not those of this recommender** (up to {study.score_distance:.3g} apart): other weights, or "
            "another machine"
        )
    return "\n".join(lines)


def _weights(case: Case) -> str:
    profile = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in case.profile.items())
    rows = [
        {
            "interest": interest.label,
            "history items": str(sum(item.interest == interest.number for item in case.history)),
            "proposed": str(sum(item.interest == interest.number for item in case.candidates)),
            **_told(interest.weights),
        }
        for interest in case.interests
    ]
    return f"{markdown(profile)}\n\n{_table(rows)}"


def _told(weights: Mapping[str, float]) -> dict[str, str]:
    return {name.replace("_", " "): f"{weight:.3f}" for name, weight in weights.items()}


def _population(study: CaseStudy) -> str:
    return _table(
        [
            {
                "interest": str(number),
                **{
                    name.replace("_", " "): f"{spread.mean:.3f} ± {spread.sd:.3f}"
                    for name, spread in of_interest.items()
                },
            }
            for number, of_interest in enumerate(study.population, start=1)
        ]
    )


def _use(study: CaseStudy) -> str:
    use, interests = study.use, len(study.population)
    if use is None:
        return "The model has one interest: all of a history is routed to it, and it proposes everything."
    same, other = study.agreement.same, study.agreement.other
    alike = ""
    if same is not None and other is not None:
        alike = (
            f" Two items of a history that are routed to the same interest share a genre in {same:.0%} of the pairs, two that are not in "
            f"{other:.0%} ({study.users:,} users)."
        )
    return (
        f"Over {study.use_over:,} users the mean cosine between two interests of a user is {use.cosine:.2f}, and {use.effective:.2f} of "
        f"{interests} interests are at work among a user's ten best items (1: one does everything; {interests}: each as much).{alike}"
    )


def _items(case: Case) -> Iterator[str]:
    yield f"### User {markdown(case.user_id)}: history, oldest first"
    yield _table(
        [
            {
                "": str(place),
                "title": item.title,
                "genres": ", ".join(item.genres),
                "interest": str(item.interest),
                "shares by interest (Eq. 6)": _numbers(item.routing),
                "read (Eq. 4)": f"{item.attention:.2f}",
            }
            for place, item in enumerate(case.history, start=1)
        ]
    )
    yield f"### User {markdown(case.user_id)}: proposed"
    yield _table(
        [
            {
                "": str(item.before),
                "title": item.title,
                "genres": ", ".join(item.genres),
                "interest": f"{item.interest}{' (planted)' * item.planted}",
                "o_uk . e_i by interest": _numbers(item.likes),
            }
            for item in case.candidates
        ]
    )


def _dialogue(case: Case, study: CaseStudy) -> Iterator[str]:
    yield f"### User {markdown(case.user_id)}: the list before and after"
    unused = " The reply could not be used, and the recommender's list was shown." * case.fallback
    yield f"The reply was read as: {markdown(case.status)}.{unused} Items that the person behind the data went on to take are marked."
    by_place = {item.after: item for item in case.candidates if item.after is not None}
    rows = [
        {
            "place": str(place),
            "recommender": before.title + " (taken)" * before.held_out,
            "the user": before.judged,
            "shown in the end": after.title + " (taken)" * after.held_out if after else "",
        }
        for place, before in enumerate(case.candidates, start=1)
        for after in [by_place.get(place)]
    ]
    yield _table(rows)
    for number, said in enumerate(case.dialogue, start=1):
        which = f", call {number} of {len(case.dialogue)}" if len(case.dialogue) > 1 else ""
        yield f"### User {markdown(case.user_id)}: the dialogue{which}"
        yield from _said(said, study)


def _said(said: Said, study: CaseStudy) -> Iterator[str]:
    for role, text in said.messages:
        yield f"**{markdown(role)}**"
        yield fenced(text)
    yield f"**reply** of {markdown(study.client)}"
    yield fenced(said.reply) if said.reply is not None else f"No answer came: {markdown(said.error or '')}"


def _numbers(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table whose every cell is text."""
    if not rows:
        return "Nothing."
    frame: Any = pd.DataFrame(
        [[markdown(cell) for cell in row.values()] for row in rows],
        columns=[markdown(name) for name in rows[0]],
    )
    return str(frame.to_markdown(index=False, disable_numparse=True))
