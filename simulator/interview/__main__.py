"""python -m simulator.interview: the command line; no logic."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision
from simulator.run import dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from simulator.interview.interview import Interview
    from simulator.interview.interviewee import Interviewee

ANSWERED, USAGE, FAILED, BUDGET_REACHED, REPLAY_MISS, INTERRUPTED = 0, 2, 3, 4, 5, 130
_CHANGES = ("client", "model", "base_url", "api_key_env")


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.interview",
        description="Ask one simulated user of a finished run free questions, with its persona, its memory and its last "
        "decision as they were.",
        epilog="Without --ask, questions are read from standard input, one a line, to its end. Exit codes: 0 answered; 2 usage, "
        "or a run or client that cannot be asked; 3 a question brought no answer; 4 budget reached; 5 replay miss; "
        "130 interrupted.",
    )
    options.add_argument("run", type=Path, metavar="DIR", help="directory of a finished run")
    options.add_argument(
        "--user", required=True, metavar="ID", help="whom to ask, by the id that the data have"
    )
    options.add_argument(
        "--arm", metavar="NAME", help="as turns.jsonl names it, such as history-10 (default: the run's first)"
    )
    options.add_argument("--replicate", type=int, default=0, metavar="N", help="from 0, the default")
    options.add_argument(
        "--ask",
        dest="questions",
        action="append",
        metavar="TEXT",
        help="a question; may be repeated, and is then one conversation",
    )
    options.add_argument("--client", help="who answers, as users.client (default: as in the run)")
    options.add_argument("--model", help="as users.model")
    options.add_argument("--base-url", metavar="URL", help="as users.base_url")
    options.add_argument("--api-key-env", metavar="NAME", help="as users.api_key_env")
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the run's scenario that changes nothing asked, such as --set data.path=...",
    )
    mode = options.add_mutually_exclusive_group()
    mode.add_argument(
        "--show", action="store_true", help="print what the user was told and what it said, and ask nothing"
    )
    mode.add_argument(
        "--replay",
        action="store_true",
        help="answer from the record of earlier interviews and from nothing else: no client, no key, no network",
    )
    options.add_argument(
        "--max-cost",
        type=dollars,
        metavar="USD",
        help="send no question after which all interviews of the run could have cost more than this",
    )
    options.add_argument(
        "--json",
        action="store_true",
        help="print the conversation as JSON on standard output, all else on standard error",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Interview and return the exit code."""
    options = parser().parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from agents.llm import BudgetReached
    from simulator.experiment import MISTAKES, Halt, ReplayMiss

    try:
        return _interview(options)
    except ReplayMiss as miss:
        return _fail(f"replay miss: {miss}", REPLAY_MISS)
    except BudgetReached as reached:
        return _fail(f"budget reached: {reached}", BUDGET_REACHED)
    except (Halt, *MISTAKES) as mistake:
        return _fail(f"error: {mistake}", USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _interview(options: argparse.Namespace) -> int:
    from rich.console import Console

    from agents.llm import Caps
    from recommender.stages import Stages
    from simulator.interview.interview import Guest, asked_of, interview, invite, replayed
    from simulator.sending import Sending

    guest = Guest(options.user, options.arm, options.replicate)
    interviewee = invite(options.run, guest, options.overrides, Stages(Console(stderr=True)))
    if options.show:
        _show(interviewee, as_json=options.json)
        return ANSWERED
    users = asked_of(interviewee, {name: getattr(options, name) for name in _CHANGES})
    if options.replay:
        opened = replayed(options.run, interviewee, users)
    else:
        opened = interview(options.run, interviewee, users, Sending(Caps(cost=options.max_cost)))
    with opened as conversation:
        return _converse(conversation, _questions(options.questions), as_json=options.json)


def _converse(conversation: Interview, questions: Iterable[str], *, as_json: bool) -> int:
    out = sys.stderr if as_json else sys.stdout
    print(conversation.heading(), file=out)
    code = ANSWERED
    try:
        for question in questions:
            answered = conversation.ask(question)
            print(f"\n> {question}\n\n{answered.text}", file=out, flush=True)
            if answered.record.completion is None:
                code = FAILED
                break
    finally:
        path = conversation.keep()
        if path is not None:
            print(f"\nkept: {path}", file=out)
    if as_json:
        print(json.dumps(conversation.told(path), ensure_ascii=False))
    if path is None:
        print("nothing was asked", file=sys.stderr)
    return code


def _questions(given: Sequence[str] | None) -> Iterator[str]:
    lines = given if given is not None else _typed() if sys.stdin.isatty() else sys.stdin
    for line in lines:
        if question := line.strip():
            yield question


def _typed() -> Iterator[str]:
    """Lines as a person types them, to the end of input."""
    with suppress(EOFError, ImportError):
        import readline  # noqa: F401 - makes input() editable where there is such a module
    with suppress(EOFError):
        while True:
            yield input("\nquestion (Ctrl-D ends): ")


def _show(interviewee: Interviewee, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"messages": [vars(each) for each in interviewee.said]}, ensure_ascii=False))
    else:
        print("\n\n".join(f"[{each.role}]\n{each.content}" for each in interviewee.said))


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
