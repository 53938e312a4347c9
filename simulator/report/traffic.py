"""Recommenders that share the traffic: rows for the terminal, the page and papers, and the answer in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS = {
    "preference": "preference among accepted items",
    "acceptance": "accepted of what was proposed",
    "acceptance_shown": "accepted of what was shown",
    "hr": "HR of the shown list",
    "ndcg": "NDCG of the shown list",
}


def traffic_rows(traffic: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each arm, challenger and measure: as printed, and as numbers."""
    shown, values = [], []
    for arm, told in traffic["arms"].items():
        for name, measures in told["against_control"].items():
            for measure, entry in measures.items():
                row = {"arm": arm, "what": f"{name} - {traffic['control']}", "measure": _WORDS[measure]}
                users = f"{entry['users']}"
                if "control_users" in entry:
                    users += f" against {entry['control_users']}"
                if "wins" in entry:
                    row["users for / neither / against"] = (
                        f"{entry['wins']} / {entry['ties']} / {entry['losses']}"
                    )
                shown.append(
                    {
                        **row,
                        "difference": difference(entry),
                        "p": "n/a" if entry["p"] is None else f"{entry['p']:.4f}",
                        "users": users,
                    }
                )
                values.append({"arm": arm, "challenger": name, "measure": measure, **entry})
    return shown, values


def traffic_findings(traffic: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each challenger: of interleaved lists the preference, of split users the acceptance of what was proposed."""
    interleaved = traffic["mode"] == "interleaved"
    measure = "preference" if interleaved else "acceptance"
    for arm, told in traffic["arms"].items():
        for name, measures in told["against_control"].items():
            entry = measures.get(measure)
            if entry is None:
                continue
            low, high = entry["low"], entry["high"]
            verdict = "cannot be told from"
            if low is not None and low > 0:
                verdict = "is preferred to" if interleaved else "is accepted more than"
            elif high is not None and high < 0:
                verdict = "is less liked than" if interleaved else "is accepted less than"
            how = "interleaved" if interleaved else "users split"
            yield f"{arm}: {name} {verdict} {traffic['control']} ({how}): {difference(entry)}."


def difference(entry: Mapping[str, Any]) -> str:
    """A difference with its interval."""
    if entry["low"] is None:
        return f"{entry['mean']:+.3f}"
    return f"{entry['mean']:+.3f} [{entry['low']:+.3f}, {entry['high']:+.3f}]"
