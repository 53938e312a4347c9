"""The page of a run: complete, the same for a replay, harmless whatever titles say, and without a network."""

import base64
import gzip
import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from damaged_runs import edited
from small_runs import replay, simulate

from simulator.report.__main__ import main
from simulator.report.html.page import _write_table, write_page
from simulator.report.tables import Table
from simulator.report.words import cautions

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> & \"quotes\""
ARMS = '{"template b": {}, "template <a>": {"prompts.feedback": "template_a"}}'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = simulate(tmp_path_factory.mktemp("report") / "run", f"arms={ARMS}", "cold_start.lengths=null")
    assert run.code == 0, run.err
    write_page(run.path)
    return run


def page_of(run):
    return (run.path / "report.html").read_text(encoding="utf-8")


def index_of(page):
    (text,) = re.findall(r'<script type="application/json" id="index">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def pieces_of(page):
    packed = re.findall(r'<script type="text/plain" class="piece">(.*?)</script>', page)
    return [turn for piece in packed for turn in json.loads(gzip.decompress(base64.b64decode(piece)))]


def test_the_page_says_what_was_found_and_what_must_be_known_first(run):
    page = page_of(run)
    (finding,) = run.summary["study"]["findings"].values()
    assert html.escape(finding, quote=False).replace("'", "&#39;") in page
    assert "Before you believe it" in page
    assert "no result about them is one about people" in page
    assert "not a language model" in page
    for name in ("differences", "users", "lists", "statuses", "slots", "places", "meters"):
        assert f'id="figure-{name}"' in page
    assert "Where slates are shown as recommended, the first places hold the better items." in page
    assert page.count("<svg") == page.count("</svg>") >= 7
    for word in ("hash of the scenario", "template &lt;a&gt;", "Calls and tokens", "Scenario, as it was run"):
        assert word in page


def test_every_turn_is_there_word_for_word(run):
    page = page_of(run)
    index, turns = index_of(page), pieces_of(page)
    assert len(turns) == len(index["turns"]) == len(run.turns)
    replies = {call["key"]: call["completion"]["text"] for call in run.calls}
    ids = pd.read_parquet(run.path / "items.parquet").set_index("item_id")["title"]
    for row, shown, turn in zip(index["turns"], turns, run.turns, strict=True):
        assert index["arms"][row[0]] == turn["arm"]
        assert index["users"][row[2]] == turn["user_id"]
        assert index["statuses"][row[1]] == turn["status"]
        assert shown["calls"][0]["reply"] == replies[turn["request"]]
        assert [index["items"][item] for item in shown["shown"]] == [ids[item] for item in turn["shown"]]
        assert len(shown["accepted"]) == row[5] == len(turn["accepted"])


def test_nothing_is_fetched_and_nothing_is_markup_that_came_from_a_run(run):
    page = page_of(run)
    assert "default-src 'none'" in page
    outside = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(place.startswith("#") for place in outside), outside
    assert "http" not in re.sub(
        r'xmlns(:\w+)?="[^"]*"|http://www\.w3\.org/\S*', "", page.split("<main>")[0].replace("http-equiv", "")
    )
    assert "template <a>" not in page.replace("template &lt;a&gt;", "")


def test_titles_and_replies_that_are_markup_stay_text(run, tmp_path):
    again = replay(run, tmp_path / "evil")
    items = pd.read_parquet(again.path / "items.parquet")
    items["title"] = EVIL
    items.to_parquet(again.path / "items.parquet", index=False)
    write_page(again.path)
    page = page_of(again)
    assert "<script>document.title" not in page
    assert "<img src=x" not in page
    assert index_of(page)["items"][0] == EVIL


def test_a_replay_has_the_same_page(run, tmp_path):
    again = replay(run, tmp_path / "again")
    write_page(again.path)
    assert (again.path / "report.html").read_bytes() == (run.path / "report.html").read_bytes()


def test_the_command_writes_files_for_a_paper(run, tmp_path, capsys):
    assert main([str(run.path), "--figures", str(tmp_path / "paper")]) == 0
    assert "report: " in capsys.readouterr().out
    folder = tmp_path / "paper"
    names = {file.name for file in folder.iterdir()}
    for figure in ("differences", "lists", "statuses", "meters"):
        assert {f"{figure}.{ending}" for ending in ("svg", "png", "pdf", "vl.json")} <= names
    for table in ("metrics", "comparison", "replies", "meters", "cost"):
        assert {f"{table}.{ending}" for ending in ("md", "tex", "parquet")} <= names
    assert (folder / "lists.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "lists.pdf").read_bytes().startswith(b"%PDF")
    assert r"template <a>" in (folder / "comparison.tex").read_text()
    assert r"\begin{tabular}" in (folder / "comparison.tex").read_text()
    captions = re.findall(r"\\caption\{(.*)\}", (folder / "metrics.tex").read_text())
    assert captions == [r"Metrics of every list; mean [95 \% interval]"], "an unescaped % is a comment"
    found = pd.read_parquet(folder / "comparison.parquet").set_index(["arm", "list", "metric"])
    told = run.summary["against_reference"]["template <a>"]["refined"]["ndcg@5"]
    assert found.loc[("template <a>", "refined", "ndcg@5"), "difference"] == pytest.approx(told["difference"])
    assert "| template <a> - template b" in (folder / "comparison.md").read_text()


@pytest.mark.parametrize(
    ("overrides", "figures"),
    [
        (("slates.source=held_out", "slates.size=4", "cold_start.lengths=null", "refinement.policy=replace"), {"lists", "ratings", "places"}),
        (("users.client=random",), {"differences", "meters"}),
        (("prompts.family=pointwise", "prompts.feedback=yes_no", "prompts.ask=pointwise"), {"differences", "meters"}),
        (("injection.attack=none", "prompts.family=numbered"), {"differences"}),
        (("users.count=1", "refinement.weight=0.5"), {"differences", "statuses"}),
    ],
)  # fmt: skip
def test_other_kinds_of_runs_have_a_page(tmp_path, overrides, figures):
    run = simulate(tmp_path / "run", *overrides)
    assert run.code == 0, run.err
    page = write_page(run.path).read_text()
    assert figures <= set(re.findall(r'id="figure-(\w+)"', page))
    assert (
        f"Differences within users, {'AUC' if 'ratings' in figures else 'NDCG@5'}" in page
        or "users.count=1" in overrides
    )


def test_what_is_no_finished_run_is_an_error(tmp_path, capsys, run):
    assert main([str(tmp_path)]) == 2
    assert "no run was begun here" in capsys.readouterr().err
    again = replay(run, tmp_path / "again")
    (again.path / "summary.json").unlink()
    assert main([str(again.path)]) == 2
    assert "not finished; finish it first" in capsys.readouterr().err
    assert not (again.path / "report.html").exists()


@pytest.mark.parametrize("rounds", [1, 2])
def test_prompts_of_arms_are_held_against_each_other_for_one_user(rounds, tmp_path):
    """The first user of the one arm comes to the other in its second round only."""
    arms = "arms={all: {}, some: {population.activity: 0.15}}"
    run = simulate(tmp_path / "run", arms, "cold_start.lengths=null", f"rounds={rounds}")
    users = {arm: [turn["user_id"] for turn in run.turns if turn["arm"] == arm] for arm in ("all", "some")}
    first, other = users["all"][0], users["some"][0]
    assert first != other
    assert (first in users["some"]) is (rounds == 2)
    page = write_page(run.path).read_text()
    assert f"<summary>all, user {first}</summary>" in page
    told = f"some, user {first}: against all" if rounds == 2 else f"some, user {other}"
    assert f"<summary>{told}</summary>" in page


def test_what_is_missing_and_what_cannot_be_written_is_named(tmp_path, capsys, run):
    again = replay(run, tmp_path / "again")
    (tmp_path / "file").touch()
    assert main([str(again.path), "--figures", str(tmp_path / "file")]) == 2
    assert f"error: {tmp_path / 'file'}: cannot be written (File exists)" in capsys.readouterr().err
    (again.path / "per_user.parquet").unlink()
    assert main([str(again.path)]) == 2
    assert "per_user.parquet: no such file; replay the run" in capsys.readouterr().err


def test_a_run_ends_with_its_page_unless_told_otherwise(tmp_path, run, capsys):
    from simulator.run import main as run_main

    assert run_main(["--replay", str(run.path), "--out", str(tmp_path / "with")]) == 0
    assert f"report: {tmp_path / 'with' / 'report.html'}" in capsys.readouterr().out
    assert (tmp_path / "with" / "report.html").read_bytes() == (run.path / "report.html").read_bytes()


def test_a_call_that_is_not_in_the_journal_is_said_to_be_lost(run, tmp_path):
    again = replay(run, tmp_path / "lost")
    edited(again.path / "calls.jsonl", lambda lines: lines[1:])
    turns = pieces_of(write_page(again.path).read_text())
    assert [turn["calls"][0]["error"] for turn in turns].count("this call is not in the journal") == 1


def test_only_an_audience_that_is_no_language_model_is_told_to_be_none(run):
    standin = "stand-in (behavioural choice model, not a language model)"
    told = {"a": {"client": standin}, "b": {"client": "some-model at its vendor"}}
    alone, beside = (cautions({**run.summary, "arms": arms}) for arms in ({"a": told["a"]}, told))
    assert f"The audience is {standin}: what it likes says nothing about language models." in alone
    assert (
        f"The audience of some arms is {standin}: what it likes says nothing about language models." in beside
    )


def test_many_users_in_several_arms_have_a_figure(run, tmp_path):
    """A dot for each pair of values: some ten thousand, where Altair draws no more than 5,000 unless told otherwise."""
    again = replay(run, tmp_path / "many")
    generator = np.random.default_rng(0)
    tables = [
        pd.DataFrame({"arm": arm, "list": "refined", "user_id": np.arange(12_000), "ndcg@5": generator.random(12_000)})
        for arm in ("template b", "template <a>")
    ]  # fmt: skip
    pd.concat(tables).to_parquet(again.path / "per_user.parquet")
    assert 'id="figure-users"' in write_page(again.path).read_text()


def test_words_of_a_figure_are_no_names_of_its_parts(tmp_path):
    arms = 'arms={"b": {}, "clip1": {"prompts.feedback": "template_a"}}'
    page = write_page(simulate(tmp_path / "run", arms, "cold_start.lengths=null").path).read_text()
    assert page.count(">clip1</text>") > 1
    assert "-clip1" not in page
    names = re.findall(r' id="(\w+-(?:clip|gradient_?)\d+)"', page)
    used = re.findall(r"url\(#([^)]*)\)", page)
    assert names
    assert len(names) == len(set(names))
    assert set(used) <= set(names)


def test_names_are_no_markup_of_tables_for_a_paper(tmp_path):
    table = Table(
        "odd", "50 % of a_b & {c} \\d", pd.DataFrame({"arm": ["a|b", "c_d"], "value": ["1", "2"]}), pd.DataFrame()
    )  # fmt: skip
    assert [file.suffix for file in _write_table(table, tmp_path)] == [".md", ".tex", ".parquet"]
    rows = (tmp_path / "odd.md").read_text().splitlines()[2:]
    assert [re.split(r"(?<!\\)\|", row)[1].strip() for row in rows] == [r"a\|b", "c_d"]
    assert r"\caption{50 \% of a\_b \& \{c\} \textbackslash{}d}" in (tmp_path / "odd.tex").read_text()
