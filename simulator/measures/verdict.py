"""Does this client, with this prompt, know its users better than the null users do? An answer for each arm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recommender.intervals import bootstrap_interval
from simulator.measures.fidelity import AUDIENCE, KNOW_NOTHING
from simulator.measures.power import smallest_detectable, users_needed

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "does this client, with this prompt, know its users better than the null users do?"


@dataclass(frozen=True)
class FidelityVerdict:
    """The paired difference in AUC to the best null user that does not know the user, and what it shows."""

    answer: Literal["yes", "no", "not shown"]
    """yes: the interval lies above 0; no: none of it does; not shown: it holds 0."""
    best_null: str
    auc: float
    null_auc: float
    difference: float
    low: float | None
    """Of the 95 % interval over users; None with fewer than two."""
    high: float | None
    users: int
    users_needed: int | None
    """To show a difference as large as the measured one with 80 % power; None where there is none, or one user."""
    smallest_shown: float | None
    """The smallest difference that so many users show with 80 % power."""

    @property
    def text(self) -> str:
        """In words."""
        bounds = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        told = (
            f"{self.answer}: AUC {self.auc:.3f}, the best null user ({self.best_null}) {self.null_auc:.3f}; paired "
            f"difference {self.difference:+.3f}{bounds} over {self.users:,} users"
        )
        if self.answer != "not shown":
            return told
        if self.users_needed is None or self.smallest_shown is None:
            return f"{told}; too few users, or no difference, to say how many would be needed"
        return (
            f"{told}. A difference of {abs(self.difference):.3f} needs about {self.users_needed:,} users (80 % power); "
            f"{self.users:,} show one of {self.smallest_shown:.3f} or more"
        )

    def as_dict(self) -> dict[str, Any]:
        """What summary.json holds."""
        return {**asdict(self), "text": self.text}


def verdicts(table: pd.DataFrame, seed: int) -> dict[str, FidelityVerdict]:
    """The verdict of each arm, from the table of `simulator.measures.fidelity.per_user`."""
    found = {}
    for arm, group in table.groupby("arm", sort=False):
        values = group.pivot_table(index="user_id", columns="list", values="auc")
        present = [name for name in KNOW_NOTHING if name in values]
        if AUDIENCE in values and present:
            best = str(values[present].mean().idxmax())
            pair = values[[AUDIENCE, best]].dropna().to_numpy(dtype=np.float64)
            found[str(arm)] = fidelity_verdict(pair[:, 0], pair[:, 1], best, seed)
    return found


def fidelity_verdict(
    audience: np.ndarray[Any, np.dtype[np.float64]],
    null: np.ndarray[Any, np.dtype[np.float64]],
    name: str,
    seed: int,
) -> FidelityVerdict:
    """The verdict on the AUC of an audience (U,) and of the null user `name` (U,) for the same users."""
    differences = audience - null
    found = bootstrap_interval(differences, seed)
    answer: Literal["yes", "no", "not shown"] = "not shown"
    if found.low is not None and found.high is not None:
        answer = "yes" if found.low > 0 else "no" if found.high <= 0 else "not shown"
    users, needed, smallest = len(differences), None, None
    if users > 1:
        spread = float(differences.std(ddof=1))
        smallest = spread * smallest_detectable(users)
        if found.mean:
            needed = users_needed(found.mean / spread) if spread else 2
    return FidelityVerdict(
        answer,
        name,
        float(audience.mean()),
        float(null.mean()),
        found.mean,
        found.low,
        found.high,
        users,
        needed,
        smallest,
    )
