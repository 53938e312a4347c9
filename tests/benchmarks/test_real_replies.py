"""The measurement of real replies, on pages and rankings written here in their form."""

import gzip
import json
from dataclasses import replace

import pytest

from agents.reply import parse
from benchmarks import real_replies
from benchmarks.replies.real import Named, Page, Ranking, pages, rankings

SHOWN = ("Game, The (1997)", "Heat (1995)", "Girl, Interrupted (1999)", "Alien (1979)")
PAGE = Page(
    SHOWN, "",
    (Named("The Game", "", True), Named("Heat", "", False), Named("Girl, Interrupted (1999)", "", True), Named("Alien", "", False)),
    "The Game, Girl, Interrupted", "",
)  # fmt: skip
RANKING = Ranking(
    ("Time to Kill, A", "Contact", "Brazil"),
    "",
    ("Star Trek: First Contact - Time to Kill", "Brazil - Contact", "Brazil"),
)


def test_what_is_named_is_counted():
    fields = real_replies.measured(parse, [PAGE], [RANKING])
    assert (fields["shown"], fields["strict"], fields["resolved"]) == (4, 1, 4)
    assert (fields["watch_lists"], fields["watch_lists_right"]) == (1, 1)
    assert (fields["ranked"], fields["ranked_resolved"]) == (4, 4)
    assert (fields["named_unknown"], fields["flagged_unknown"]) == (1, 1)
    assert (fields["withheld"], fields["withheld_flagged"], fields["withheld_others_kept"]) == (4, 4, 4)
    assert fields["wrong"] == 0


def nearest(text, shown, reason, asked):
    """Takes the first candidate for what it does not know."""
    verdict = parse(text, shown, reason, asked)
    return replace(verdict, ranking=(*verdict.ranking, 0), unknown=()) if verdict.unknown else verdict


def swaps(text, shown, reason, asked):
    verdict = parse(text, shown, reason, asked)
    last = len(shown) - 1
    return replace(
        verdict, ranking=tuple(last - place for place in verdict.ranking), accepted=verdict.rejected
    )


def test_a_parser_that_guesses_or_confuses_is_wrong():
    guessed = real_replies.measured(nearest, [PAGE], [RANKING])
    assert (guessed["flagged_unknown"], guessed["withheld_flagged"]) == (0, 0)
    assert guessed["wrong"] > 0
    confused = real_replies.measured(swaps, [PAGE], [RANKING])
    assert confused["wrong"] >= 4
    assert confused["watch_lists_right"] == 0


def test_the_sample_is_the_same_each_time_and_names_what_was_made_of_it():
    drawn = real_replies.sample(parse, [PAGE], [RANKING], 6)
    assert drawn == real_replies.sample(parse, [PAGE], [RANKING], 6)
    assert len(drawn) == 6
    assert sum(one.title != one.name for one in drawn) >= 3


def test_the_files_are_read_in_their_form(tmp_path):
    reply = (
        "MOVIE: The Game; ALIGN: Yes; REASON: tense\nMOVIE: Heat (1995)\nALIGN: No\nREASON: long\n\n"
        "NUM: 1; WATCH: The Game; REASON: one is enough\nMOVIE: The Game; RATING: 4; FEELING: good"
    )
    row = {"items": [{"title": title} for title in SHOWN], "reply": reply, "feedback_reply": "Fine."}
    with gzip.open(tmp_path / "role_play_pages_ml1m.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    [page] = pages(tmp_path)
    assert page.shown == SHOWN
    assert page.named == (Named("The Game", "tense", True), Named("Heat (1995)", "long", False))
    assert (page.watch, page.feeling) == ("The Game", "Fine.")
    asked = "\nCandidate Set (candidate movies): Time to Kill, A, Mrs. Brown (Her Majesty, Mrs. Brown), Contact.\nThe movies"
    answers = [
        {"Input_1": asked, "Predictions": text}
        for text in ("1. Heat - Contact\n2. Contact.", "[1. Heat - Contact], [2. Contact].")
    ]
    with gzip.open(tmp_path / "three_step_ranking_ml100k_a.json.gz", "wt", encoding="utf-8") as file:
        json.dump(answers, file)
    for ranking in rankings(tmp_path):
        assert ranking.shown == ("Time to Kill, A", "Mrs. Brown (Her Majesty, Mrs. Brown)", "Contact")
        assert ranking.lines == ("Heat - Contact", "Contact")


def test_without_data_it_says_what_to_set(monkeypatch):
    monkeypatch.delenv("SCREENTEST_DATA", raising=False)
    with pytest.raises(SystemExit, match="SCREENTEST_DATA is unset"):
        real_replies.main([])
