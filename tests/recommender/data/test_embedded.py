"""The embedded audience: reproducible, calibrated, full of traps, and its planted effects can be found again."""

import functools
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.data import DataError, Interactions
from recommender.data.embedded import draw_poster, generate, poster, write_posters
from recommender.data.embedded.__main__ import main
from recommender.data.embedded.calibration import calibration
from recommender.data.embedded.themes import THEMES, TONES
from recommender.data.embedded.truth import CHOICE
from recommender.data.movielens import read_ml1m
from recommender.data.splitting import prepare

# Changes only when the generator does: then say so in the changelog, for every synthetic result moves with it.
GOLDEN = "abc6999a460391afda17c9ed60c46129a9d42daa9e1762944147234b4771deee"


made = functools.cache(generate)


@pytest.fixture(scope="module")
def audience():
    return made(0)


@pytest.fixture(scope="module")
def columns(audience):
    """user, item, stars of the interactions as int64."""
    inter = audience.dataset.interactions
    return inter.user.astype(np.int64), inter.item.astype(np.int64), inter.rating


def digest(dataset):
    inter = dataset.interactions
    words = repr(dataset.users.values.tolist()) + repr(dataset.items.values.tolist())
    numbers = (np.concatenate([inter.user, inter.item, inter.rating.astype(int), inter.time])).astype("<i8")
    return hashlib.sha256(words.encode() + numbers.tobytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_everywhere(audience):
    assert digest(audience.dataset) == GOLDEN
    assert digest(generate(0).dataset) == GOLDEN


def test_another_seed_gives_another_audience():
    assert digest(made(1).dataset) != GOLDEN


def test_it_is_labelled_synthetic(audience):
    assert audience.dataset.synthetic
    assert "synthetic" in audience.dataset.label


@given(
    seed=st.integers(0, 2**32),
    users=st.integers(2, 40),
    items=st.integers(84, 200),
    fill=st.floats(0, 1),
)
@settings(max_examples=25, deadline=None)
def test_every_size_keeps_the_invariants(seed, users, items, fill):
    least, most = 20 * users, 20 + (users - 1) * int(0.75 * items)
    ratings = least + int(fill * (most - least))
    data = generate(seed, users, items, ratings).dataset
    inter = data.interactions
    assert (len(data.users), len(data.items), len(inter)) == (users, items, ratings)
    assert np.bincount(inter.user).min() == 20
    assert len(set(zip(inter.user.tolist(), inter.item.tolist(), strict=True))) == ratings
    assert data.items["title"].is_unique
    assert set(np.unique(inter.rating)) <= {1, 2, 3, 4, 5}
    same_user = inter.user[1:] == inter.user[:-1]
    assert (np.diff(inter.user) >= 0).all()
    assert (np.diff(inter.time)[same_user] > 0).all()
    assert inter.time.min() >= datetime(2000, 4, 1, tzinfo=UTC).timestamp()
    assert inter.time.max() <= datetime(2003, 3, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"seed": -1}, "seed -1"),
        ({"items": 50}, "50 items"),
        ({"users": 1, "ratings": 20}, "two users"),
        ({"ratings": 11_999}, "from 12000"),
        ({"ratings": 10**6}, "1000000 ratings"),
    ],
)
def test_impossible_sizes_are_refused(sizes, words):
    with pytest.raises(DataError, match=words):
        generate(**sizes)


def test_profiles_are_of_the_promised_form(audience):
    users = audience.dataset.users
    assert users["user_id"].is_unique
    assert users["zip"].str.fullmatch(r"\d{5}").all()
    assert users["occupation"].isna().any()
    assert all(each is None or isinstance(each, str) for each in users["occupation"])
    names = users.groupby("gender")["name"].agg(set)
    assert len(names["F"]) >= 40
    assert len(names["M"]) >= 40
    assert not names["F"] & names["M"]
    assert not ((users["occupation"] == "retired") & (users["age"] < "45")).any()
    assert set(users.loc[users["occupation"] == "K-12 student", "age"]) <= {"Under 18", "18-24"}


def test_items_are_of_the_promised_form(audience):
    items = audience.dataset.items
    assert len({genre for held in items["genres"] for genre in held}) == 18
    assert all(items["genres"].map(len) >= 1)
    assert items["description"].map(lambda text: 1 <= len(re.findall(r"\.(?:\s|$)", text)) <= 3).all()
    assert items["title"].str.fullmatch(r".+ \((19|20)\d\d\)").all()
    assert "::" not in "".join(items["title"]).encode("latin-1").decode("latin-1")


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_aggregates_are_those_of_movielens(seed):
    off = [row for row in calibration(made(seed).dataset) if not row.ok]
    assert not off


def test_the_calibration_can_fail(audience):
    data = audience.dataset
    inter = data.interactions
    flat = data.with_interactions(
        Interactions(inter.user, (inter.item * 7 + inter.user) % 400, inter.rating[::-1].clip(2), inter.time)
    )
    off = {row.name for row in calibration(flat) if not row.ok}
    assert {"share of 1 stars", "mean rating", "SD of item means (20+ ratings)"} <= off


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[^,(]+, The \(\d{4}\)$",
        r"^[^,(]+, A \(\d{4}\)$",
        r"^[^,(]+, An \(\d{4}\)$",
        r", (?:La|Die|L') \(",
        r"^\w+, .+, The \(\d{4}\)$",
        r"^\w+, \w+, \w+ \(",
        r" & ",
        r"^\d+ ",
        r"^\d,\d{3} ",
        r"(?<!\()\b(?:18|19|20)\d\d\b(?!\))",
        r"\(a\.k\.a\. [^)]+\) \(\d{4}\)$",
        r"^[^(]+\((?!a\.k\.a\.)[^)]*[a-z][^)]*\) \(\d{4}\)$",
        r"[À-ÿ]",
        r": ",
        r"'",
        r"! \(",
        r"\? \(",
        r"^A to ",
    ],
)
@pytest.mark.parametrize("seed", [0, 5])
def test_titles_hold_every_trap(pattern, seed):
    titles = made(seed, users=2, ratings=40).dataset.items["title"]
    assert titles.str.contains(pattern).any()


def test_titles_contain_each_other_and_recur(audience):
    names = [title[:-7] for title in audience.dataset.items["title"]]
    assert sum(names.count(name) == 2 for name in set(names)) >= 3
    whole = [re.sub(r"\W+", " ", f" {re.sub(r', (The|An?)$', '', name)} ") for name in names]
    inside = {short for short in whole for long in whole if short != long and short in long}
    assert len(inside) >= 4


def test_five_core_leaves_nearly_everything(audience):
    split = prepare(audience.dataset)
    assert len(split.dataset.users) >= 0.99 * 600
    assert len(split.dataset.items) >= 0.75 * 400
    assert split.steps[-1].interactions >= 0.99 * split.steps[-2].interactions


def test_gender_age_and_occupation_shift_what_is_watched(audience, columns):
    users, (user, item, _) = audience.dataset.users, columns
    theme, tone = audience.truth.catalogue.theme[item], audience.truth.catalogue.tone[item]

    def shift(group, label, size):
        inside, outside = (np.bincount(label[who[user]], minlength=size) + 1 for who in (group, ~group))
        return np.log(inside / inside.sum()) - np.log(outside / outside.sum())

    women, young = (users["gender"] == "F").to_numpy(), users["age"].isin(["Under 18", "18-24"]).to_numpy()
    for kinds, label in ((THEMES, theme), (TONES, tone)):
        female, youth = [each.female for each in kinds], [each.youth for each in kinds]
        assert np.corrcoef(shift(women, label, len(kinds)), female)[0, 1] > 0.7
        assert np.corrcoef(shift(young, label, len(kinds)), youth)[0, 1] > 0.7
    leans = [
        shift(users["occupation"].isin([name]).to_numpy(), theme, len(THEMES))[row]
        for row, each in enumerate(THEMES)
        for name in each.occupations
    ]
    assert np.mean(leans) > 0.15


def test_what_comes_next_is_like_what_came_last(audience, columns):
    user, item, _ = columns
    theme = audience.truth.catalogue.theme[item]
    same_user = user[1:] == user[:-1]
    repeats = (theme[1:] == theme[:-1])[same_user].mean()
    order = np.lexsort((np.random.default_rng(0).random(len(user)), user))
    shuffled = theme[order]
    assert repeats > 1.5 * (shuffled[1:] == shuffled[:-1])[same_user].mean()


def watched_above_unwatched(audience, score):
    """Mean over users of the AUC of what they rated against what they did not."""
    inter = audience.dataset.interactions
    seen = np.zeros(score.shape, bool)
    seen[inter.user, inter.item] = True
    pairs = ((np.sort(row[~mask]), row[mask]) for row, mask in zip(score, seen, strict=True))
    return np.mean([np.searchsorted(low, high).mean() / len(low) for low, high in pairs])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_truth_explains_the_choices_and_every_part_of_it_matters(seed):
    audience = made(seed)
    truth, rows = audience.truth, (np.arange(600), np.arange(400))
    full = watched_above_unwatched(audience, truth.propensity(*rows))
    assert full > 0.94
    assert full > watched_above_unwatched(audience, truth.propensity(*rows, text=False)) + 0.005
    assert full > watched_above_unwatched(audience, truth.propensity(*rows, visual=False)) + 0.005
    fame = np.broadcast_to(truth.catalogue.popularity, (600, 400))
    assert full > watched_above_unwatched(audience, fame) + 0.04
    # The mean over interests is what a single user vector would say.
    pull = truth.match(*rows)
    mean_pull = np.where(np.isfinite(pull), pull, 0).sum(1) / np.isfinite(pull).sum(1)
    assert full > watched_above_unwatched(audience, fame + CHOICE * mean_pull) + 0.004


def test_each_choice_was_made_under_one_of_the_persons_interests(audience, columns):
    user, item, _ = columns
    truth = audience.truth
    assert (truth.interests.theme[user, truth.active] >= 0).all()
    pull = truth.match(np.arange(600), np.arange(400))[user, :, item]
    several = (truth.interests.theme >= 0).sum(1)[user] == 3
    active = pull[np.arange(len(user)), truth.active]
    assert (active[several] > np.median(pull[several], axis=1)).mean() > 0.4
    assert active[several].mean() > pull[several].mean() + 0.2


def test_utility_is_the_expected_star(audience, columns):
    user, item, stars = columns
    utility = audience.truth.utility(np.arange(600), np.arange(400))
    assert utility.shape == (600, 400)
    assert utility.min() >= 1
    assert utility.max() <= 5
    expected = utility[user, item]
    bins = np.digitize(expected, [2.5, 3, 3.5, 4, 4.5])
    for each in range(6):
        assert abs(expected[bins == each].mean() - stars[bins == each].mean()) < 0.07


def test_the_description_tells_the_tone_and_the_genres_do_not(audience):
    items, tone = audience.dataset.items, audience.truth.catalogue.tone
    words = [set(re.findall(r"[a-z-]+", text.lower())) for text in items["description"]]
    vocabulary = sorted(set().union(*words))
    bag = np.array([[word in held for word in vocabulary] for held in words], float)
    genres = sorted({genre for held in items["genres"] for genre in held})
    flags = np.array([[genre in held for genre in genres] for held in items["genres"]], float)
    assert nearest_centroid(bag - bag.mean(0), tone) > 0.9
    assert nearest_centroid(flags, tone) < 0.25


def nearest_centroid(features, labels):
    """Accuracy on the odd rows of class means learnt on the even ones."""
    train, test = slice(0, None, 2), slice(1, None, 2)
    classes = np.unique(labels)
    means = np.array([features[train][labels[train] == each].mean(0) for each in classes])
    distance = ((features[test][:, None] - means) ** 2).sum(-1)
    return (classes[distance.argmin(1)] == labels[test]).mean()


def test_the_poster_tells_the_style_and_nothing_else(audience):
    catalogue = audience.truth.catalogue
    pixels = np.array([np.asarray(poster(audience, row).resize((4, 6))).ravel() for row in range(160)], float)
    assert nearest_centroid(pixels, catalogue.style[:160]) > 0.9
    assert nearest_centroid(pixels, catalogue.tone[:160]) < 0.35


def test_posters_of_neighbouring_styles_are_nearer_than_of_opposite_ones():
    mean = np.array(
        [np.mean([np.asarray(draw_poster(s, k)) for k in range(6)], axis=(0, 1, 2)) for s in range(8)]
    )
    distance = np.linalg.norm(mean[:, None] - mean, axis=-1)
    around = np.arange(8)
    assert distance[around, (around + 1) % 8].mean() < 0.8 * distance[around, (around + 4) % 8].mean()


def test_posters_are_files_and_reproducible(audience, tmp_path):
    small = generate(7, users=2, items=90, ratings=60)
    write_posters(small, tmp_path / "posters")
    assert {path.stem for path in (tmp_path / "posters").iterdir()} == set(small.dataset.items["item_id"])
    image = draw_poster(3, 1, seed=2)
    assert (image.size, image.mode) == ((96, 144), "RGB")
    assert image.tobytes() == draw_poster(3, 1, seed=2).tobytes()
    assert image.tobytes() != draw_poster(3, 2, seed=2).tobytes()
    with pytest.raises(ValueError, match="style 8"):
        draw_poster(8, 0)


def ndcg(scores, split, seen):
    """Mean NDCG@10 over users with test items, everything in `seen` masked."""
    scores = np.where(seen, -np.inf, scores)
    target = np.zeros(seen.shape, bool)
    target[split.test.user, split.test.item] = True
    hits = np.take_along_axis(target, np.argsort(-scores, axis=1, kind="stable")[:, :10], 1)
    discount = 1 / np.log2(np.arange(10) + 2)
    count = target.sum(1)
    ideal = np.cumsum(discount)[np.minimum(count, 10) - 1]
    return ((hits * discount).sum(1) / ideal)[count > 0].mean()


def scores_of_simple_models(seed):
    """Test NDCG@10 of popularity, popularity in one's gender and age, EASE, and EASE over the last five items."""
    split = prepare(made(seed).dataset)
    users = split.dataset.users
    shape = (len(users), len(split.dataset.items))
    train, seen, recent = np.zeros(shape), np.zeros(shape, bool), np.zeros(shape)
    train[split.train.user, split.train.item] = 1
    history = split.history("test")
    seen[history.user, history.item] = True
    size = np.bincount(history.user)
    latest = np.cumsum(size)[history.user] - np.arange(len(history)) <= 5
    recent[history.user[latest], history.item[latest]] = 1

    inverse = np.linalg.inv(train.T @ train + 300 * np.eye(shape[1]))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    popular = np.broadcast_to(train.mean(0), shape)
    age = users["age"].map({"Under 18": 0, "18-24": 0, "25-34": 1, "35-44": 1}).fillna(2).to_numpy()
    gender = users["gender"].to_numpy()
    alike = (age[:, None] == age) & (gender[:, None] == gender)
    by_group = alike @ train / alike.sum(1, keepdims=True) + 0.3 * popular
    return [ndcg(each, split, seen) for each in (popular, by_group, seen @ ease, recent @ ease)]


def test_simple_models_rank_as_on_real_data():
    scores = np.array([scores_of_simple_models(seed) for seed in range(3)])
    popularity, demographic, whole_history, last_five = scores.mean(0)
    assert 1.03 < demographic / popularity < 1.3
    assert whole_history > 1.15 * popularity
    assert last_five > 1.04 * whole_history
    assert (scores[:, 2:].min(1) > scores[:, 0]).all()


def test_the_command_writes_what_the_reader_reads(audience, tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 0
    assert "synthetic" in capsys.readouterr().out
    read = read_ml1m(tmp_path)
    data = audience.dataset
    assert read.items["title"].tolist() == data.items["title"].tolist()
    assert read.items["genres"].tolist() == data.items["genres"].tolist()
    for column in ("user_id", "gender", "age", "zip"):
        assert read.users[column].tolist() == data.users[column].tolist()
    for column in ("user", "item", "rating", "time"):
        np.testing.assert_array_equal(getattr(read.interactions, column), getattr(data.interactions, column))
    assert "SYNTHETIC" in (tmp_path / "README.txt").read_text()
    assert len((tmp_path / "content.csv").read_text(encoding="utf-8").splitlines()) == 401


def test_the_command_checks_the_calibration(capsys):
    assert main(["--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith("| ok |") for line in lines[2:])
    assert len(lines) > 30
    note = Path(__file__).parents[3] / "docs" / "embedded_data.md"
    assert set(lines) <= set(note.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("arguments", [[], ["--posters", "--check"], ["--check", "--seed", "-2"]])
def test_wrong_usage_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_interests_drift_and_are_one_to_three(audience):
    interests = audience.truth.interests
    count = (interests.theme >= 0).sum(1)
    assert set(count) == {1, 2, 3}
    np.testing.assert_allclose(interests.early.sum(1), 1)
    np.testing.assert_allclose(interests.late.sum(1), 1)
    assert (interests.weight[interests.theme < 0] == 0).all()
    assert np.abs(interests.late - interests.early)[count > 1].mean() > 0.1
    for row in interests.theme:
        kept = row[row >= 0].tolist()
        assert len(set(kept)) == len(kept)
    assert interests.tone.max() == len(TONES) - 1
