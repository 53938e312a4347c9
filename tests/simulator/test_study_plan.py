"""What a scenario declares of its comparison: checked by line, counted, kept to, told before the run and verified after it."""

import json
import shutil

import pytest
from small_runs import SCENARIO, go_on, replay, simulate

from simulator.measures.hit_power import smallest_detectable_hits, users_needed_hits
from simulator.measures.power import smallest_detectable, users_needed
from simulator.run import main
from simulator.transcript.verifying import verify

ARMS = "arms={b: {}, a: {recommender.model: itemknn}, half: {refinement.weight: 0.1}}"
PLAN = "study={primary: hr@3, family: [a], planned_users: 40, alpha: 0.1, power: 0.9, smallest_effect: 0.05}"
STUDY = (ARMS, PLAN, "cold_start.lengths=null")
USERS = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = simulate(tmp_path_factory.mktemp("declared") / "run", *STUDY)
    assert found.code == 0, found.err
    return found


def test_the_declared_metric_and_family_are_what_is_tested(run):
    study, found = run.summary["study"], run.summary["against_reference"]
    assert study["primary"] == {"list": "refined", "metric": "hr@3"}
    assert (study["declared"], study["family"], study["alpha"], study["power"]) == (True, ["a"], 0.1, 0.9)
    family, outside = found["a"]["refined"]["hr@3"], found["half"]["refined"]["hr@3"]
    assert family["p_holm"] == family["p"]
    assert outside["p_holm"] is None
    assert outside["reasons"]["p_holm"] in {"not in the family of comparisons", f"all {USERS} users tie"}
    assert family["users_needed"] == users_needed_hits(0.05, family["sd"], alpha=0.1, power=0.9)
    assert family["smallest_detectable"] == smallest_detectable_hits(
        USERS, family["sd"], alpha=0.1, power=0.9
    )
    ndcg = found["a"]["refined"]["ndcg@5"]
    assert ndcg["smallest_detectable"] == ndcg["sd"] * smallest_detectable(USERS, alpha=0.1, power=0.9)
    assert list(found["a"]["refined"]) == ["hr@3", "hr@5", "ndcg@5"], "all else is told beside it"


def test_fewer_users_than_planned_are_an_interim_look(run):
    study = run.summary["study"]
    assert (study["planned_users"], study["users"], study["interim"]) == (40, USERS, True)
    assert f"interim, {USERS} of 40 planned users: no final result" in run.out
    assert "primary comparison, HR@3, interim" in run.out


def test_hits_are_told_with_their_discordant_users(run):
    entry = run.summary["against_reference"]["a"]["refined"]["hr@3"]
    assert entry["discordant"]["gained"] == entry["wins"]
    assert entry["discordant"]["lost"] == entry["losses"]
    assert "McNemar" in run.out


@pytest.mark.parametrize("change", ["study.primary=ndcg@5", "study.family=[a, half]", "study=null"])
def test_what_was_declared_is_not_declared_anew_in_a_replay(run, tmp_path, change):
    found = replay(run, tmp_path / "again", change)
    assert found.code == 2
    assert "begun with another `study`" in found.err
    assert "simulator.compare" in found.err
    assert not (tmp_path / "again").exists()


def test_what_was_declared_is_not_changed_once_the_run_has_begun(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    refused = go_on(tmp_path / "run", "--set", "study.primary=ndcg@5")
    assert (refused.code, "study.primary" in refused.err) == (2, True), refused.err
    assert go_on(tmp_path / "run").code == 0
    again = json.loads((tmp_path / "run/summary.json").read_bytes())
    for name in ("against_reference", "study"):
        assert again[name] == run.summary[name] == replay(run, tmp_path / name).summary[name]


def test_the_comparison_is_verified_against_the_turns(run, tmp_path):
    found = verify(run.path)
    assert found.whole, found.faults
    assert any("summary.json: the comparison of arms" in line for line in found.checked)
    shutil.copytree(run.path, tmp_path / "run")
    path = tmp_path / "run/summary.json"
    for where in (("against_reference", "a", "refined", "hr@3", "p"), ("study", "interim")):
        changed = json.loads(run.bytes_of("summary.json"))
        inner = changed
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = 0.0123
        path.write_text(json.dumps(changed))
        faults = verify(tmp_path / "run").faults
        assert [f"summary.json: {'.'.join(where)} is 0.0123" in fault for fault in faults] == [True], faults


def test_a_dry_run_tells_power_beside_cost(tmp_path):
    dry = simulate(
        tmp_path / "dry",
        *STUDY,
        "study.family=null",
        "study.expected_sd=0.4",
        options=("--dry-run", "--json"),
    )
    power = json.loads(dry.out)["power"]
    assert (power["planned_users"], power["users"], power["comparisons"]) == (40, USERS, 2)
    for reach, alpha in ((power["single"], 0.1), (power["first_of_family"], 0.05)):
        assert reach["alpha"] == alpha
        assert reach["smallest_detectable"] == smallest_detectable_hits(40, 0.4, alpha=alpha, power=0.9)
        assert reach["users_needed"] == users_needed_hits(0.05, 0.4, alpha=alpha, power=0.9)
        assert reach["detectable_d_z"] is None
        assert f"the declared 0.05 needs {reach['users_needed']}" in dry.err
    assert f"40 planned users, of whom this run asks {USERS} (an interim look)" in dry.err
    assert "cost: " in dry.err


def test_without_a_standard_deviation_power_is_told_in_its_units(tmp_path):
    dry = simulate(tmp_path / "dry", ARMS, options=("--dry-run",))
    assert "unknown without study.expected_sd" in dry.out
    assert f"{smallest_detectable(USERS):.3f} standard deviations" in dry.out
    alone = simulate(tmp_path / "alone", options=("--dry-run",))
    assert "power: " not in alone.out


@pytest.mark.parametrize("change", ["study.primary=ndcg@3", "replicates=2"])
def test_what_is_not_a_hit_or_none_of_each_user_has_the_power_of_the_t_test(change, tmp_path):
    options = ("--dry-run", "--json")
    dry = simulate(tmp_path / "dry", *STUDY, "study.expected_sd=0.4", change, options=options)
    power = json.loads(dry.out)["power"]
    assert power["hits"] is False
    assert power["single"]["users_needed"] == users_needed(0.05 / 0.4, alpha=0.1, power=0.9)
    assert power["single"]["smallest_detectable"] == 0.4 * smallest_detectable(40, alpha=0.1, power=0.9)


def test_of_hits_it_is_told_what_their_power_depends_on(tmp_path):
    dry = simulate(tmp_path / "dry", *STUDY, options=("--dry-run",))
    assert "which difference they show depends on how many users change" in dry.out
    assert "the root of the share of users that change" in " ".join(dry.out.split())
    few = simulate(
        tmp_path / "few", *STUDY, "study.expected_sd=0.4", "study.planned_users=4", options=("--dry-run",)
    )
    assert "so few users show no difference with 90% power" in few.out
    assert "the declared 0.05 needs" in few.out


BASE = SCENARIO.read_text() + "arms: {b: {}, a: {prompts.feedback: template_a}}\n"
LINE = BASE.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: {primary: ndcg@7}", f"mine.yaml:{LINE}: study.primary should be one of hr@1, hr@3"),
        ("study:\n  primary: auc", f"mine.yaml:{LINE + 1}: study.primary should be one of hr@1, hr@3"),
        ("study: {list: audience}", f"mine.yaml:{LINE}: study.list should be refined or audience_alone"),
        ("study: {list: oracle}", f"mine.yaml:{LINE}: study.list should be"),
        ("study:\n  family:\n  - a\n  - z", f"mine.yaml:{LINE + 3}: study.family should name arms that are compared (a); 'z'"),
        ("study: {family: [b]}", "'b' is the arm that others are compared with"),
        ("study: {family: []}", f"mine.yaml:{LINE}: study.family should name one arm at least"),
        ("study: {family: [a, a]}", "and each once"),
        ("study: {planned_users: 1}", f"mine.yaml:{LINE}: study.planned_users should be"),
        ("study: {alpha: 1}", f"mine.yaml:{LINE}: study.alpha should be"),
        ("study: {alpha: 0.9}", f"mine.yaml:{LINE}: study.power should be more than study.alpha (0.9)"),
        ("study: {smallest_effect: 0}", f"mine.yaml:{LINE}: study.smallest_effect should be"),
        ("study: {primry: ndcg@5}", f"mine.yaml:{LINE}: unknown key 'study.primry'; did you mean 'study.primary'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text, message, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(f"{BASE}{text}\n")
    assert main([str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_plan_without_arms_is_a_mistake(tmp_path):
    told = simulate(tmp_path / "run", "study={planned_users: 40}")
    assert (told.code, "study should be left out where there are no arms" in told.err) == (2, True)


def test_an_arm_that_is_not_asked_for_the_primary_metric_stays_in_the_family_and_is_told(tmp_path):
    arms = (
        "arms={b: {}, only ranked: {prompts.feedback: template_3}, a: {prompts.feedback: template_a}, "
        "x: {users.standin.noise: 3}}"
    )
    slates = ("slates={source: held_out, size: 4}", "refinement.policy=replace", "cold_start.lengths=null")
    run = simulate(tmp_path / "run", arms, *slates, "study={primary: f1}")
    assert run.code == 0, run.err
    study, found = run.summary["study"], run.summary["against_reference"]
    assert (study["users"], study["interim"], len(study["family"])) == (USERS, False, 3)
    lost = found["only ranked"]["audience"]["f1"]
    assert (lost["users"], lost["difference"], lost["p_holm"]) == (0, None, None)
    assert "  only ranked: not compared, no user has the metric in both arms" in run.out
    tested = found["x"]["audience"]["f1"]
    assert tested["p_holm"] == pytest.approx(min(1, 3 * tested["p"])), "held to all three"
