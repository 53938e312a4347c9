"""A catalogue, users with held-out items, and questions put to embedded users in the words of the paper's templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.embedded.knowledge import ItemKnowledge, Ratings
from agents.embedded.reading import PromptReader
from agents.llm import Draw, Message, Request
from agents.reply import Asked, parse
from prompts import inline, load_family
from recommender.data import load
from recommender.data.splitting import prepare

FAMILY = load_family("paper")


def question(history, candidates, feedback="template_b", name="Ann", **persona):
    """The messages that a user is sent; `history` holds (title, rating or None)."""
    seen = [{"title": title, "rating": None if stars is None else f"{stars:g}"} for title, stars in history]
    offered = FAMILY.candidates.join([{"title": title} for title in candidates])
    system = [
        FAMILY.template("system").render({}),
        FAMILY.template("template_1").render({"name": name, **persona}),
    ]
    user = [
        FAMILY.template("template_2").render({"name": name, "history": FAMILY.history.join(seen)}),
        FAMILY.template(feedback).render({"name": name, "candidates": offered}),
    ]
    return (
        Message("system", "\n\n".join(system)),
        Message("user", "\n\n".join(part for part in user if part)),
    )


def ask(client, messages, draw=("u1", 1, 0)):
    """The reply of an embedded user."""
    return client.answer(Request(messages, "embedded", {}, Draw(*draw))).text


def verdict(client, candidates, history=(), draw=("u1", 1, 0), **persona):
    """The parsed answer of an embedded user to candidates shown in this order."""
    text = ask(client, question(history, candidates, **persona), draw)
    return parse(text, candidates, "stop", Asked(accept=True, rank=True))


@dataclass(frozen=True)
class Town:
    """Embedded data split in time; the knowledge comes from every second user, the others can be asked."""

    titles: list[str]
    reader: PromptReader
    knowledge: ItemKnowledge
    histories: list[list[tuple[str, float]]]
    """Of the users the knowledge has not seen: (title, stars), oldest first."""
    liked: list[list[str]]
    """Their held-out titles."""
    counts: list[int]


def found_town():
    """Every second user's train ratings make the knowledge."""
    split = prepare(load("embedded", seed=3))
    items, users = split.dataset.items, split.dataset.users
    titles = [inline(title) for title in items["title"]]
    train = split.train
    known = train.take(train.user % 2 == 0)
    traits = [
        [word for word in (row.age, row.occupation) if isinstance(word, str)]
        for row in users[::2].itertuples()
    ]
    ratings = Ratings(
        known.user.astype(np.int64) // 2, known.item.astype(np.int64), known.rating.astype(np.float64)
    )
    knowledge = ItemKnowledge(
        titles, items["genres"].tolist(), items["description"].tolist(), ratings, traits, seed=0
    )
    histories, liked = [], []
    for user in range(1, len(users), 2):
        own, held = train.take(train.user == user), split.test.take(split.test.user == user)
        if len(held):
            histories.append(
                [(titles[item], float(stars)) for item, stars in zip(own.item, own.rating, strict=True)]
            )
            liked.append([titles[item] for item in held.item])
    counts = np.bincount(train.item, minlength=len(titles)).tolist()
    return Town(titles, PromptReader(titles), knowledge, histories, liked, counts)
