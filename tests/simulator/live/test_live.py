"""The live view without a browser: its worlds, its curves, who answers, and the command line."""

import threading
from contextlib import contextmanager

import pytest
from small_runs import CANARY, KEY_VARIABLE, SCENARIO

from agents.llm import Caps
from agents.testing.faults import Fault
from simulator.live import __main__ as command
from simulator.live.curves import panels
from simulator.live.dialogue import dialogue
from simulator.live.server import OwnOrigin, reserved
from simulator.live.session import Choice, opened
from simulator.live.stage import Stage, StageClosedError
from simulator.live.views import dialogue_view, slates_view, status_view
from simulator.live.world import LiveWorld
from simulator.scenario import ScenarioError, load
from simulator.sending import Sending

NOTHING = "I would accept nothing."


@contextmanager
def session(stages, *overrides, caps=None, out=None):
    with opened(load(SCENARIO, overrides), out, stages, Sending(caps or Caps())) as live:
        yield live


def world(live, tell=lambda: None, **changes):
    return LiveWorld(session=live, tell=tell, **(vars(live.first()) | changes))


def asking(server, *overrides):
    return (
        "users.client=openai",
        "users.model=test-model",
        f"users.base_url={server.base_url}",
        f"users.api_key_env={KEY_VARIABLE}",
        "users.count=3",
        "users.concurrency=1",
        "users.attempts=1",
        *overrides,
    )


@pytest.fixture
def key(monkeypatch, tmp_path):
    monkeypatch.setenv(KEY_VARIABLE, CANARY)
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))


def test_a_world_is_begun_anew_from_what_is_chosen(silent_stages):
    with session(silent_stages) as live:
        assert live.arms == ("history-5", "history-10")
        assert live.first() == Choice("history-5", users=12, shown=5, weight=0.5, noise=0.3)
        first, again = world(live), world(live)
        rounds = []
        for each in (first, again):
            each.step()
            rounds.append(each.latest)
            each.step()
            rounds.append(each.latest)
        assert rounds[:2] == rounds[2:], "a world that is reset plays as before"
        assert [turn.round for turns in rounds[:2] for turn in turns] == [1] * 12 + [2] * 12
        other = world(live, arm="history-10", users=3, shown=2, weight=0.0)
        other.step()
        assert {turn.arm for turn in other.latest} == {"history-10"}
        assert [turn.final for turn in other.latest] == [turn.slate[:2] for turn in other.latest], "weight 0"
        assert other.users == first.users[:3]
        noisy = world(live, noise=2.0)
        noisy.step()
        assert [turn.accepted for turn in noisy.latest] != [turn.accepted for turn in rounds[0]]


def test_it_collects_what_the_world_collects_and_the_share_of_failures(silent_stages):
    with session(silent_stages) as live:
        played = world(live)
        played.step()
        names = {panel.name: panel.lines[0].latest for panel in panels(played.datacollector.model_vars)}
    assert names["turns"] == "12"
    assert names["failed share"] == "0"
    assert {"acceptance", "statuses"} <= names.keys()


def test_arms_are_chosen_by_their_recorded_names(silent_stages):
    arms = '{b: {}, a: {"prompts.feedback": template_a, "refinement.policy": replace}}'
    with session(silent_stages, f"arms={arms}", "cold_start.lengths=null") as live:
        assert live.arms == ("b", "a")
        played = world(live, arm="a")
        played.step()
        assert played.weight is None, "its policy has none"
        assert {turn.arm for turn in played.latest} == {"a"}


def test_a_round_is_told_of_while_it_is_asked(silent_stages, openai_server, key):
    server = openai_server(lambda body: NOTHING, delay=0.5)
    told = []
    with session(silent_stages, *asking(server), caps=Caps(calls=50)) as live:
        played = world(live, tell=lambda: told.append((played.progress, played.exchange(played.users[0]))))
        assert played.exchange(played.users[0]) is None
        played.step()
        exchange = played.exchange(played.users[0])
    assert [progress.ended for progress, _ in told] == [0, 1, 2]
    assert [exchange.records[0] is None for _, exchange in told] == [True, False, False]
    assert all(exchange.turn is None for _, exchange in told)
    assert exchange.turn.user_id == played.users[0]
    assert exchange.records[0].completion.text == NOTHING


def test_a_refusal_ends_the_world_and_the_next_one_asks_again(silent_stages, openai_server, key):
    server = openai_server(lambda body: NOTHING, faults=[Fault.BAD_KEY, None, Fault.ERROR_500])
    with session(silent_stages, *asking(server), caps=Caps(calls=50)) as live:
        refused = world(live)
        refused.step()
        assert "401" in refused.error
        assert CANARY not in status_view(refused)
        assert not refused.running
        second = world(live)
        second.step()
        assert second.error is None
        assert [turn.status == "failed" for turn in second.latest] == [False, True, False]
        third = world(live)
        third.step()
        assert [turn.status == "failed" for turn in third.latest] == [False] * 3
    assert server.requests == 1 + 3 + 1


def test_caps_hold_for_all_worlds_together(silent_stages, openai_server, key):
    server = openai_server(lambda body: NOTHING)
    with session(silent_stages, *asking(server), caps=Caps(calls=5)) as live:
        one, other = world(live), world(live, users=2)
        one.step()
        other.step()
        assert server.requests == 3, "answered before"
        other.step()
        one.step()
        assert "5" in one.error
        world(live).step()
    assert server.requests == 5


def test_a_world_that_is_left_plays_no_more(silent_stages):
    with session(silent_stages) as live:
        played = world(live)
        played.step()
        played.leave()
        played.step()
        assert played.round == 1
        assert not played.running


def test_it_ends_where_there_is_no_more_to_propose(silent_stages):
    with session(silent_stages, "users.count=2") as live:
        played = world(live)
        for _ in range(200):
            played.step()
            if not played.running:
                break
        assert "catalogue runs out" in played.over
        assert "catalogue runs out" in status_view(played)


def test_slates_of_held_out_items_have_one_round(silent_stages):
    held_out = ("slates.source=held_out", "slates.size=4", "refinement={policy: replace}", "users.count=3")
    with session(silent_stages, *held_out, "cold_start.lengths=null") as live:
        played = world(live)
        played.step()
        assert played.over is not None
        assert not played.running


def test_no_text_is_markup(silent_stages, openai_server, key):
    evil = "<script>alert(1)</script>"
    server = openai_server(lambda body: evil)
    with session(silent_stages, *asking(server), caps=Caps(calls=50)) as live:
        live.titles = dict.fromkeys(live.titles, evil)
        played = world(live)
        played.step()
        told = dialogue(played.exchange(played.users[0]))
    assert evil not in dialogue_view(told, 1) + slates_view(told)
    assert "&lt;script&gt;" in dialogue_view(told, 1)


def test_several_calls_of_a_turn_are_all_told(silent_stages):
    pointwise = ("prompts.ask=pointwise", "prompts.family=pointwise", "prompts.feedback=yes_no")
    with session(silent_stages, *pointwise, "users.count=2") as live:
        played = world(live)
        played.step()
        told = dialogue(played.exchange(played.users[1]))
    assert len(told.calls) == 10
    assert "Reply 10 of 10" in dialogue_view(told, 1)
    assert [row.title for row in told.before] != [row.title for row in told.after]


def test_users_sum_up_as_in_a_run(silent_stages, openai_server, key):
    server = openai_server(lambda body: "I like old films." if "sum up" in str(body).lower() else NOTHING)
    remembered = ("prompts.remember=all", "prompts.reflect_every=1")
    with session(silent_stages, *asking(server, *remembered), caps=Caps(calls=50)) as live:
        played = world(live)
        played.step()
        played.step()
    assert server.requests == 3 * 2 * 2
    assert all(turn.reflection for turn in played.latest)
    assert len(played.exchange(played.users[0]).records) == 1


def test_worlds_of_several_pages_do_not_meet(silent_stages):
    with session(silent_stages) as live:
        alone, shared = (
            [world(live, arm=arm) for arm in live.arms],
            [world(live, arm=arm) for arm in live.arms],
        )
        for each in alone:
            for _ in range(3):
                each.step()
        threads = [
            threading.Thread(target=lambda each=each: [each.step() for _ in range(3)]) for each in shared
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each.latest for each in shared] == [each.latest for each in alone]


def test_a_fault_ends_the_world_with_its_traceback_on_the_terminal(silent_stages, caplog):
    with session(silent_stages) as live:
        played = world(live)
        live.lineup.ask = lambda *asked: 1 / 0
        played.step()
    assert "ZeroDivisionError: division by zero" in played.error
    assert "Traceback" in caplog.text
    assert not played.running


def test_curves_draw_every_number_and_nothing_else():
    found = {
        panel.name: panel
        for panel in panels(
            {
                "gini_of_items": [0.5, None, float("nan"), 0.25],
                "texts": ["a", "b"],
                "flags": [True, False],
                "by_kind": [{"a": 1}, {"b": 3}],
                "debts": [-3, 2],
                "none": [],
                "zero": [0, 0],
            }
        )
    }
    assert list(found) == ["gini of items", "by kind", "debts", "zero"]
    gini = found["gini of items"]
    assert (gini.low, gini.high, gini.rounds) == ("0", "0.500", 4)
    assert gini.lines[0].points.count("M") == 2, "a gap where there is no value"
    assert {line.name: line.latest for line in found["by kind"].lines} == {"a": "0", "b": "3"}
    assert (found["debts"].low, found["debts"].high) == ("-5", "2")
    assert "now 2" in found["debts"].told


def test_jobs_are_played_one_after_the_other_on_one_thread():
    stage, seen = Stage(), []
    threads = [
        threading.Thread(target=stage.play, args=(lambda: None, lambda: seen.append(threading.get_ident())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    with pytest.raises(ZeroDivisionError):
        stage.play(lambda: None, lambda: 1 / 0)
    assert stage.close(5)
    with pytest.raises(StageClosedError):
        stage.play(lambda: None, lambda: None)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("users.client=openai", "users.model=m"), "--max-cost"),
        (("users.client=openai", "users.model=m", "users.send=batch"), "users.send=single"),
    ],
)
def test_what_could_not_be_watched_or_has_no_end_is_refused(silent_stages, key, overrides, said):
    with (
        pytest.raises(ScenarioError, match=said),
        session(silent_stages, *overrides, f"users.api_key_env={KEY_VARIABLE}"),
    ):
        pass


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "solara" else name)
    assert command.main([str(SCENARIO)]) == 2
    assert "screentest[live]" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_before_anything_is_trained(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: name)
    with reserved(0) as taken:
        taken.listen()
        assert command.main([str(SCENARIO), "--port", str(taken.getsockname()[1])]) == 2
    told = capsys.readouterr().err
    assert "--port 0" in told
    assert "training" not in told


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        (b"127.0.0.1:8765", None, True),
        (b"localhost:8765", b"http://localhost:8765", True),
        (b"127.0.0.1:8765", b"http://127.0.0.1:9000", False),
        (b"127.0.0.1:8765", b"https://elsewhere.example", False),
        (b"elsewhere.example", None, False),
        (b"127.0.0.1:8765", b"null", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_its_own_page_is_answered(host, origin, allowed, kind):
    import asyncio

    passed, sent = [], []

    async def app(scope, receive, send):
        passed.append(scope)

    async def send(message):
        sent.append(message)

    headers = [(b"host", host), *([] if origin is None else [(b"origin", origin)])]
    asyncio.run(OwnOrigin(app)({"type": kind, "headers": headers}, None, send))
    assert bool(passed) == allowed
    assert bool(sent) != allowed


def test_a_recommender_learns_from_one_page_at_a_time(silent_stages):
    learning = ("learning.retrain_every=1", "cold_start.lengths=null", "users.count=6")
    with session(silent_stages, *learning) as live:
        first = world(live, users=6)
        first.step()
        first.step()
        second = world(live, users=6)
        second.step()
        assert second.error is None
        first.step()
        assert "learns from another world" in first.error
        second.step()
        assert second.error is None


def test_a_user_that_was_not_there_and_newcomers_are_told_as_such(silent_stages):
    population = ("population={activity: 0.3, newcomers: 1}", "rounds=3", "cold_start.lengths=null")
    with session(silent_stages, *population) as live:
        played = world(live)
        assert "Nothing was asked yet." in dialogue_view(None, played.round)
        played.step()
        absent = next(user for user in played.users if played.exchange(user) is None)
        assert played.exchange(absent) is None
        assert "Was not there in round 1." in dialogue_view(None, played.round)
        assert "12 users, 2 join later" in status_view(played)
