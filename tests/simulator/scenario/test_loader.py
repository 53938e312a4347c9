import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario import Scenario, ScenarioError, dump, find, json_schema, load

MINIMAL = """\
name: mine
data:
  source: embedded
recommender:
  model: uim
users:
  count: 7
  client: standin
n: 10
cutoffs: [1, 10]
"""
SHIPPED = [
    "scenarios/cold_start.yaml",
    "scenarios/cold_start_ml1m.yaml",
    "scenarios/local_model.yaml",
    "scenarios/bring_your_own/implicit_als.yaml",
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL)
    return path


def mistakes(file, text=None, *overrides):
    if text is not None:
        file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load(file, overrides)
    return str(caught.value)


def test_a_minimal_scenario_has_every_default(file):
    scenario = load(file)
    assert scenario.users.count == 7
    assert scenario.cold_start.lengths == (5, 10, 30)
    assert scenario.prompts.feedback == "template_b"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_scenarios_load_wherever_one_stands(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(Path(name)).name == Path(name).stem


def test_a_file_of_ones_own_goes_before_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / SHIPPED[0]
    own.parent.mkdir()
    own.write_text(MINIMAL)
    assert load(Path(SHIPPED[0])).name == "mine"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_dumped_scenario_loads_back_equal(name, tmp_path):
    scenario = load(find(Path(name)))
    path = tmp_path / "again.yaml"
    path.write_text(dump(scenario))
    assert load(path) == scenario
    assert list(json.loads(scenario.model_dump_json())) == list(Scenario.model_fields)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    # YAML has no lone surrogates and turns every line break into \n.
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc:-# 1", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    params=st.dictionaries(st.text("abcxyz_", min_size=1), values, max_size=4), rate=st.floats(1e-300, 1e300)
)
def test_any_parameters_survive_dump_and_load(params, rate, tmp_path_factory):
    recommender = {"model": "uim", "params": params, "training": {"learning_rate": rate}}
    users = {"count": 1, "client": "echo"}
    scenario = Scenario.model_validate(
        {"name": "x", "data": {"source": "embedded"}, "recommender": recommender, "users": users}
    )
    path = tmp_path_factory.mktemp("dump") / "x.yaml"
    path.write_text(dump(scenario), encoding="utf-8")
    assert load(path) == scenario


def test_overrides_are_yaml_and_reach_any_depth(file):
    scenario = load(
        file,
        [
            "users.count=50",
            "cutoffs=[1, 3]",
            "cold_start.lengths=null",
            "recommender.params.dim=64",
            "users.standin.noise=0",
            "data.source=ml-1m",
            "data.path=../shared/data/ml-1m",
            "recommender.training.learning_rate=1e-4",
            "n=5",
            "n=4",
        ],
    )
    assert (scenario.users.count, scenario.cutoffs, scenario.cold_start.lengths) == (50, (1, 3), None)
    assert scenario.recommender.params == {"dim": 64}
    assert scenario.users.standin.noise == 0
    assert scenario.data.path == Path("../shared/data/ml-1m")
    assert scenario.recommender.training.learning_rate == 1e-4
    assert scenario.n == 4


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  count: 7", "  cuont: 7", "mine.yaml:7: unknown key 'users.cuont'; did you mean 'users.count'?"),
        ("n: 10", "count: 10", "mine.yaml:9: unknown key 'count'; did you mean 'users.count'?"),
        ("count: 7", "count: '7'", "mine.yaml:7: users.count should be a valid integer, not '7'"),
        ("count: 7", "count: yes", "mine.yaml:7: users.count should be a valid integer, not 'yes'"),
        ("count: 7", "count: true", "mine.yaml:7: users.count should be a valid integer, not true"),
        ("count: 7", "count: 0", "mine.yaml:7: users.count should be greater than or equal to 1, not 0"),
        (
            "source: embedded",
            "source: ml-2m",
            "mine.yaml:3: data.source should be 'embedded', 'amazon-2014', 'amazon-2023', 'ml-1m'",
        ),
        (
            "model: uim",
            "model: uin",
            "mine.yaml:5: recommender.model should be popularity, itemknn, ease, ease-recent, bprmf, svdpp, vbpr, ",
        ),
        ("[1, 10]", "[1, 20]", "mine.yaml:10: cutoffs should not exceed the n = 10 places"),
        ("[1, 10]", "[10, 1]", "mine.yaml:10: cutoffs should increase"),
        ("[1, 10]", "[1, x]", "mine.yaml:10: cutoffs[1] should be a valid integer, not 'x'"),
        ("[1, 10]", "5", "mine.yaml:10: cutoffs should be a list, not 5"),
        ("client: standin", "client: openai", "mine.yaml:6: users should name a model"),
        ("n: 10", "n: 10\nname: again", "mine.yaml:10: key 'name' is given twice"),
        ("[1, 10]", "[1, 10", "mine.yaml:"),
        ("n: 10", "1: 10", "mine.yaml:9: a key should be a word"),
        ("name: mine", "name: ../mine", "mine.yaml:1: name should match pattern"),
        ("n: 10", "data: &x {y: *x}", "mine.yaml:"),
        (
            "n: 10",
            "refinement: {weight: often}",
            "mine.yaml:9: refinement.weight should be a valid number or",
        ),
        ("source: embedded", "source: embedded\n  path: x", "mine.yaml:4: data.path should be left out"),
        (
            "source: embedded",
            "source: atomic",
            "mine.yaml:2: data should give as path the folder with the .inter",
        ),
        ("source: embedded", "source: table", "mine.yaml:2: data should give as path the YAML file"),
        ("data:\n  source: embedded\n", "", "mine.yaml:1: data is missing"),
    ],
)
def test_each_mistake_is_one_line_with_its_place(file, old, new, expected):
    assert old in MINIMAL
    message = mistakes(file, MINIMAL.replace(old, new))
    assert len(message.splitlines()) == 1, message
    assert expected in message
    assert message.startswith(str(file))


def test_a_value_inside_itself_is_named(file):
    assert "mine.yaml:1: this value contains itself" in mistakes(file, "a: &x {y: *x}\n")


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_what_is_no_mapping_is_no_scenario(file, text):
    assert "mine.yaml:1: a scenario is a mapping" in mistakes(file, text)


def test_several_mistakes_are_told_at_once(file):
    message = mistakes(
        file, MINIMAL.replace("count: 7", "count: 0").replace("model: uim", "modle: uim"), "rounds=0"
    )
    assert [line.split(": ")[0].split("/")[-1] for line in message.splitlines()] == [
        "mine.yaml:5",
        "mine.yaml:7",
        "--set rounds",
    ]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("users.cuont=3", "--set users.cuont: unknown key 'users.cuont'; did you mean 'users.count'?"),
        ("count=3", "--set count: unknown key 'count'; did you mean 'users.count'?"),
        ("users.count=many", "--set users.count: users.count should be a valid integer, not 'many'"),
        ("users.count", "--set users.count: write --set KEY=VALUE"),
        ("=3", "write --set KEY=VALUE"),
        ("name.first=x", "--set name.first: name is a value, not a section"),
        ("cutoffs=[1", "--set cutoffs: "),
        ("users.standin=5", "--set users.standin: users.standin should be a section of keys, not 5"),
    ],
)
def test_a_wrong_override_is_named(file, override, expected):
    assert expected in mistakes(file, None, override)


@pytest.mark.parametrize(
    "override",
    [
        "users.api_key=sk-canary",
        "users.api_key_env=sk-canary",
        "users.params.api_key=sk-canary",
        "users.params.extra_headers={Authorization: sk-canary}",
        "users.base_url=https://me:sk-canary@example.org/v1",
        "users.base_url=https://example.org/v1?api_key=sk-canary",
        "users={x: sk-canary, x: sk-canary}",
        "sk-canary",
    ],
)
def test_a_key_is_refused_and_its_value_not_repeated(file, override):
    message = mistakes(file, None, override)
    assert override == "sk-canary" or "sk-canary" not in message


def test_a_file_that_is_not_there_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ScenarioError, match=r"no scenario file scenarios/cold_strt.yaml; did you mean 'scenarios/cold_start"
    ):
        load(Path("scenarios/cold_strt.yaml"))
    with pytest.raises(ScenarioError, match=r"no scenario file mine.yaml; known are scenarios/ablation.yaml"):
        load(Path("mine.yaml"))
    with pytest.raises(ScenarioError, match="Is a directory"):
        load(tmp_path)


def test_the_json_schema_explains_every_field():
    schema = json_schema()
    sections = [schema, *(section for section in schema["$defs"].values() if "properties" in section)]
    described = {name: field for section in sections for name, field in section["properties"].items()}
    assert all(field.get("description") for field in described.values())
    assert {"noise", "cutoffs", "validation_share"} <= described.keys()
    assert all(section["additionalProperties"] is False for section in sections)


def test_a_scenario_cannot_be_changed(file):
    with pytest.raises(ValueError, match="frozen"):
        load(file).n = 3
