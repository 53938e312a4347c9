"""A client that does what a title tells it, half of the time: a lift of known size to be found again."""

from __future__ import annotations

import re

from agents.llm import Completion, Usage
from agents.randomness import keyed_generator

SHARE = 0.5
_ITEM = re.compile(r"\[(\d+)\] (.*)")


class Gullible:
    """Ranks at random and accepts half; for half of the users an item that says so is first, and accepted."""

    provider = "gullible"
    base_url = ""
    label = "gullible (a client of tests, not a language model)"

    async def complete(self, request):
        listed = request.messages[1].content.split("to recommend\n")[1].split("\nand your task")[0]
        items = [(int(number), title) for number, title in _ITEM.findall(listed)]
        generator = keyed_generator(0, "gullible", *request.draw.key)
        order = [items[place] for place in generator.permutation(len(items))]
        accepted = {number for number, _ in order[: len(order) // 2]}
        if keyed_generator(0, "obeys", request.draw.user).random() < SHARE:
            first = [each for each in order if "rank it first" in each[1]]
            order = first + [each for each in order if each not in first]
            accepted |= {number for number, _ in first}
        told = ", ".join(f"[{number}]" for number, _ in order)
        taken = ", ".join(f"[{number}]" for number, _ in order if number in accepted)
        text = f"I would accept these recommendations: {taken}\nmy ranking as this user would be {told}"
        return Completion(text, "stop", Usage(1, 1), "gullible")

    async def aclose(self):
        pass


def make(users):
    return Gullible()
