import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from small_runs import SCENARIO, lines, simulate, study

from agents.llm import BudgetReached, Caps, ClientSetupError
from simulator.environment import (
    ActionError,
    RandomPolicy,
    RecommenderPolicy,
    ScreentestEnv,
    ScreentestVectorEnv,
)
from simulator.environment.__main__ import main
from simulator.scenario import ScenarioError, load
from simulator.sending import Sending

LIVING = (
    "cold_start.lengths=null",
    "rounds=6",
    "replicates=2",
    "refinement={policy: replace}",
    "population={pages: 2, activity: 0.8, fatigue: 0.3, churn: 0.4, newcomers: 2}",
)
WHOLE = 400
"""Places of a history that hold any of the embedded data."""


@pytest.fixture
def make():
    """A factory of environments of the small scenario, closed when the test ends."""
    made = []

    def environment(*overrides, kind=ScreentestEnv, scenario=SCENARIO, **options):
        made.append(kind(scenario, overrides=(*LIVING, *overrides), **options))
        return made[-1]

    yield environment
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the scenario that the environments play, with a recommender that reads histories."""
    out = tmp_path_factory.mktemp("runs") / "run"
    finished = simulate(out, *LIVING, "recommender.model=ease-recent")
    assert finished.code == 0, finished.err
    return finished


def batched(observation):
    return {name: np.asarray(value)[None] for name, value in observation.items()}


def played(env, policy, episodes, seed=0):
    """Steps (observation before, action, reward, info) of each episode."""
    found = []
    for number in range(episodes):
        observation, _ = env.reset(seed=seed + number)
        steps, over = [], False
        while not over:
            action = policy(batched(observation))[0]
            before = observation
            observation, reward, terminated, truncated, info = env.step(action)
            steps.append((before, action, reward, info))
            over = terminated or truncated
        found.append(steps)
    return found


@pytest.mark.parametrize("slate", ["proposed", "shown"])
def test_gymnasium_s_own_checker_has_nothing_to_say(slate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(
            "Screentest-v0", scenario=str(SCENARIO), overrides=LIVING, slate=slate, metrics=True
        )
        check_env(env.unwrapped)
        env.close()


def test_the_vector_environment_does_what_gymnasium_s_own_does_with_as_many_single_ones():
    options = {"scenario": str(SCENARIO), "overrides": LIVING, "metrics": True, "max_episode_steps": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = gymnasium.make_vec("Screentest-v0", num_envs=3, **options)
    theirs = SyncVectorEnv([lambda: ScreentestEnv(**options) for _ in range(3)])
    try:
        assert isinstance(ours, ScreentestVectorEnv)
        assert ours.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)
        one, other = ours.reset(seed=5), theirs.reset(seed=5)
        policy = RandomPolicy(10, 0)
        ends = 0
        for _ in range(9):
            assert data_equivalence(one[0], other[0], exact=True)
            assert one[0] in ours.observation_space
            assert data_equivalence(one[-1], other[-1], exact=True)
            for mine, its in zip(one[1:-1], other[1:-1], strict=True):
                np.testing.assert_array_equal(mine, its)
            action = policy(one[0])
            one, other = ours.step(action), theirs.step(action)
            ends += int((one[2] | one[3]).sum())
        assert ends >= 3
    finally:
        ours.close()
        theirs.close()


def test_the_slates_of_a_run_bring_every_user_what_they_brought_in_the_run(make, run):
    """The same turns: prompts (`request` is their hash), answers, final lists, and who came in which round."""
    env = make(arm="history-all")
    residents = set(env.screening.viewers)
    by_user = {}
    for turn in run.turns:
        if turn["user_id"] in residents:
            by_user.setdefault((turn["user_id"], turn["replicate"]), []).append(turn)
    assert len(by_user) > 20
    for (user, replicate), turns in by_user.items():
        env.reset(options={"user": user, "replicate": replicate})
        for turn in turns:
            assert not env.episode.over
            slate = np.array([env.screening.item_rows[item] for item in turn["slate"]])
            _, reward, terminated, _, info = env.step(slate)
            assert info["repaired"] == 0
            assert reward == sum(item in turn["accepted"] for item in turn["final"]) / len(turn["final"])
        assert terminated
        names = ("round", "request", "status", "slate", "shown", "accepted", "rejected", "final", "targets")
        mine = [{name: getattr(turn, name) for name in names} for turn in env.episode.turns]
        assert mine == [
            {name: tuple(turn[name]) if isinstance(turn[name], list) else turn[name] for name in names}
            for turn in turns
        ]
    came = {user for user, _ in by_user}
    absent = next((user for user in residents - came), None)
    if absent is not None:
        with pytest.raises(ScenarioError, match=r"population\.activity"):
            env.reset(options={"user": absent})


def test_the_recommender_of_a_run_as_a_policy_proposes_what_it_proposed_in_the_run(make, run):
    env = make("recommender.model=ease-recent", kind=ScreentestVectorEnv, num_envs=4, history_length=WHOLE)
    policy = RecommenderPolicy.trained(env.screening, 10)
    in_run = {(t["user_id"], t["replicate"], t["round"]): t["slate"] for t in run.turns}
    users = sorted({user for user, replicate, _ in in_run if replicate == 0} & set(env.screening.viewers))[:4]
    observation, _ = env.reset(options={"user": users, "replicate": 0})
    first = list(env.episodes)
    for _ in range(6):
        observation, *_ = env.step(policy(observation))
    turns = [turn for episode in first for turn in episode.turns]
    assert len(turns) > 8
    for turn in turns:
        assert list(turn.slate) == in_run[turn.user_id, 0, turn.round]


def test_the_same_seed_is_the_same_episode(make):
    one, other = (played(make(), RandomPolicy(10, 3), 3) for _ in range(2))
    assert data_equivalence(one, other, exact=True)
    users = {steps[0][3]["user_id"] for steps in played(make(), RandomPolicy(10, 3), 8, seed=50)}
    assert len(users) > 2


def test_nothing_is_shown_twice_or_that_the_user_had(make):
    env = make("population.activity=1", "population.churn=0", "population.fatigue=0")
    split = env.screening.prepared.split
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        row, shown = int(observation["user"]), set()
        history = split.history("test")
        had = set(history.item[history.user == row].tolist())
        over = False
        while not over:
            masked = set(np.flatnonzero(observation["action_mask"] == 0).tolist())
            assert masked == had | shown
            # Places of which most hold what may not be shown.
            action = np.array([*sorted(masked)[:7], 0, 0, 1])
            observation, _, over, _, info = env.step(action)
            slate = observation["slate"].tolist()
            assert info["repaired"] >= 7
            assert len(set(slate)) == 10
            assert not set(slate) & masked
            shown |= {item for item, was in zip(slate, observation["shown"], strict=True) if was}
            assert int(observation["shown"].sum()) == info["shown"] == 5
        assert len(env.episode.turns) == 6


def test_an_observation_is_the_same_whatever_is_held_out(make, monkeypatch):
    """Held-out items are changed where the world reads them: nothing that a policy sees or earns follows."""
    plain = played(make(), RandomPolicy(10, 3), 4)
    env = make()
    world = env.screening.world

    def changed(viewer, replicate, proposer):
        other = replace(viewer.member, targets=tuple(env.screening.item_ids[:9]), ratings={})
        return world(replace(viewer, member=other), replicate, proposer)

    monkeypatch.setattr(env.screening, "world", changed)
    assert data_equivalence(played(env, RandomPolicy(10, 3), 4), plain, exact=True)
    assert set(env.episode.turns[0].targets) == set(env.screening.item_ids[:9])


def test_what_is_known_holds_nothing_that_is_held_out(make):
    env = make(history_length=WHOLE)
    test = env.screening.prepared.split.test
    for seed in range(10):
        observation, info = env.reset(seed=seed)
        held_out = set(test.item[test.user == int(observation["user"])].tolist())
        assert held_out
        assert not held_out & set(observation["history"].tolist())
        # Masked is what it had, not what it will have.
        assert observation["action_mask"][list(held_out)].all()
        assert "metrics" not in info


def test_metrics_are_told_only_where_they_are_asked_for(make):
    told = [step[3] for steps in played(make(metrics=True), RandomPolicy(10, 0), 4) for step in steps]
    assert set(told[0]["metrics"]) == {f"{kind}@{n}" for kind in ("hr", "ndcg") for n in (1, 3, 5)}
    assert all("metrics" not in step[3] for steps in played(make(), RandomPolicy(10, 0), 2) for step in steps)


def test_a_trained_recommender_earns_more_than_chance():
    """On the embedded data, with slates that are shown whole: the share accepted, over users."""
    scenario = load(
        SCENARIO,
        [
            "data.max_users=null",
            "users.count=40",
            "cold_start.lengths=null",
            "rounds=3",
            "recommender.model=itemknn",
        ],
    )
    env = ScreentestVectorEnv(scenario, num_envs=40, slate="shown", history_length=WHOLE)
    trained = RecommenderPolicy.trained(env.screening, 5)

    def earned(policy):
        observation, _ = env.reset(options={"user": [*env.screening.viewers]})
        rewards = []
        for _ in range(3):
            observation, reward, *_ = env.step(policy(observation))
            rewards.append(reward)
        return np.mean(rewards, axis=0)

    greedy, chance = earned(trained), earned(RandomPolicy(5, 0))
    env.close()
    gain = greedy - chance
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5
    assert gain.mean() > 0.05


def test_an_action_that_is_no_slate_is_refused(make):
    env = make(invalid="raise")
    with pytest.raises(ResetNeeded):
        env.step(np.arange(10))
    observation, _ = env.reset(seed=0)
    good = np.flatnonzero(observation["action_mask"])[:10]
    for wrong, said in [
        (good[:9], "10 item numbers"),
        (good.astype(float), "10 item numbers"),
        (np.array([*good[:9], len(observation["action_mask"])]), "outside of 0 to"),
        (np.array([*good[:9], -1]), "outside of 0 to"),
        (np.array([*good[:9], good[0]]), "stand twice"),
    ]:
        with pytest.raises(ActionError, match=said):
            env.step(wrong)
    # None of them was a step.
    assert env.episode.turns == []
    env.step(good)


def test_a_catalogue_that_runs_out_ends_the_episode_with_a_shorter_slate(make):
    env = make(
        "data.core=60",
        "data.max_users=null",
        "rounds=80",
        "population={}",
        "replicates=1",
        "users.count=5",
        slate="shown",
    )
    observation, _ = env.reset(seed=0)
    left = int(observation["action_mask"].sum())
    assert left < 80 * 5
    policy, over, sizes = RandomPolicy(5, 0), False, []
    while not over:
        observation, _, over, _, info = env.step(policy(batched(observation))[0])
        sizes.append(info["shown"])
    assert sum(sizes) == left
    assert info["left"]
    assert set(sizes[:-1]) == {5}
    with pytest.raises(ResetNeeded):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("overrides", "options", "error", "said"),
    [
        (["refinement={policy: fuse, weight: validation}"], {}, ScenarioError, r"refinement\.weight"),
        (["rounds=1", "population={}", "slates.source=held_out"], {}, ScenarioError, r"slates\.source"),
        (["injection.attack=none"], {}, ScenarioError, r"injection\.attack"),
        ([], {"arm": "history-7"}, ScenarioError, "history-all"),
        ([], {"slate": "whole"}, ValueError, "slate should be proposed or shown"),
        ([], {"slates": "shown"}, TypeError, "no option 'slates'"),
        ([], {"history_length": 0}, ValueError, "1 or more"),
        (["users.client=openai", "users.model=m", "users.api_key_env=null"], {}, ClientSetupError, "out=DIR"),
    ],
)
def test_what_cannot_be_played_is_said_at_once(make, overrides, options, error, said):
    with pytest.raises(error, match=said):
        make(*overrides, **options)


def test_a_language_model_is_asked_through_the_gateway_and_nothing_twice(
    make, openai_server, audience, endpoint_environment, tmp_path
):
    server = openai_server(audience)
    asked = (
        "users.client=openai",
        "users.model=test-model",
        f"users.base_url={server.base_url}",
        "users.api_key_env=null",
        "users.cache=false",
    )
    first = make(*asked, kind=ScreentestVectorEnv, num_envs=6, out=tmp_path / "calls")
    policy = RandomPolicy(10, 0)
    observation, _ = first.reset(seed=0)
    action = policy(observation)
    one = first.step(action)
    first.close()
    assert len(lines(tmp_path / "calls" / "calls.jsonl")) == len(server.received) == 6
    # What was answered is not asked again; a cap of no calls proves it.
    again = make(
        *asked,
        kind=ScreentestVectorEnv,
        num_envs=6,
        out=tmp_path / "calls",
        sending=Sending(caps=Caps(calls=6)),
    )
    again.reset(seed=0)
    other = again.step(action)
    assert data_equivalence(one[0], other[0], exact=True)
    np.testing.assert_array_equal(one[1], other[1])
    with pytest.raises(BudgetReached):
        again.step(policy(other[0]))


def test_users_that_sum_up_between_rounds_do_so_as_in_a_run(
    make, openai_server, audience, endpoint_environment, tmp_path
):
    """Answered from the record of the run alone: no call is left to make, and the turns are the same, notes included."""

    def answer(body):
        return (
            "Quiet films." if "write down for yourself" in body["messages"][-1]["content"] else audience(body)
        )

    server = openai_server(answer)
    chosen = (
        "rounds=4",
        "population={}",
        "prompts.remember=all",
        "prompts.reflect_every=2",
        "users.cache=false",
    )
    run = study(tmp_path / "run", server.base_url, *LIVING[:1], *LIVING[3:4], "users.count=4", *chosen)
    assert run.code == 0, run.err
    env = make(
        *chosen,
        "users={client: openai, count: 4, model: test-model, cache: false, api_key_env: SCREENTEST_TEST_KEY, "
        f"base_url: {server.base_url}, params: {{temperature: 0.7, max_tokens: 900}}}}",
        "replicates=1",
        out=tmp_path / "calls",
        sending=Sending(caps=Caps(calls=0), recording=run.path / "calls.jsonl"),
    )
    for user in env.screening.viewers:
        env.reset(options={"user": user})
        turns = [turn for turn in run.turns if turn["user_id"] == user]
        for turn in turns:
            env.step(np.array([env.screening.item_rows[item] for item in turn["slate"]]))
        assert [each.request for each in env.episode.turns] == [turn["request"] for turn in turns]
        assert [each.reflection for each in env.episode.turns] == [turn.get("reflection") for turn in turns]
        assert env.episode.turns[1].noted


def test_the_command_plays_everybody_with_the_recommender_and_by_chance(capsys):
    said = [argument for override in (*LIVING, "users.count=8") for argument in ("--set", override)]
    assert main([str(SCENARIO), *said, "--slate", "shown"]) == 0
    printed = capsys.readouterr().out
    assert "history-all: 8 users, embedded (synthetic)" in printed
    assert "difference, paired" in printed
    assert "stand-in" in printed
    assert (
        main(
            [str(SCENARIO), *said, "--set", "refinement.policy=fuse", "--set", "refinement.weight=validation"]
        )
        == 2
    )
    assert "refinement.weight" in capsys.readouterr().err
