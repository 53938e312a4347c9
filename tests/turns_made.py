"""Turns of any content."""

from __future__ import annotations

from simulator.transcript.turns import Turn


def turn(**fields):
    """A turn of five candidates, two shown, nothing said; `fields` change it."""
    slate = fields.get("slate", tuple("abcde"))
    return Turn(
        **{
            "arm": "history-5",
            "phase": "test",
            "replicate": 0,
            "round": 1,
            "user_id": "u1",
            "data": "made (synthetic)",
            "client": "nobody",
            "slate": slate,
            "scores": tuple(float(len(slate) - place) for place in range(len(slate))),
            "shown": slate,
            "targets": ("c",),
            "status": "ok",
            "ranking": slate,
            "accepted": (),
            "rejected": (),
            "undecided": slate,
            "missing": 0,
            "duplicate": 0,
            "unknown": 0,
            "ambiguous": 0,
            "unknown_names": (),
            "fallback": False,
            "final": slate[:2],
            "alone": slate[:2],
            "nulls": {"echo": slate[:2]},
            "nulls_accepted": {"echo": slate},
            "ratings": {"c": 5.0},
            "templates": {"system": "0" * 64},
            "request": "1" * 64,
            "error": None,
            **fields,
        }
    )
