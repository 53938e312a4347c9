"""python -m simulator.run: the command line; no logic."""

from __future__ import annotations

import argparse
import json
import os
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.collision import exit_on_collision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.scenario import Scenario
    from simulator.sending import Sending

COMPLETE, USAGE, TOO_MANY_FAILURES, BUDGET_REACHED, REPLAY_MISS, INTERRUPTED = 0, 2, 3, 4, 5, 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m simulator.run",
        description="Put a recommender in front of a simulated audience and measure what the audience changes.",
        epilog="Exit codes: 0 complete; 2 usage or scenario error, or an endpoint that refuses every call; 3 complete with "
        "more failures than tolerated; 4 budget reached; 5 replay miss; 130 interrupted. After 2 (once calls were made), 4 "
        "and 130, and after a crash, --resume goes on.",
    )
    options.add_argument(
        "scenario",
        nargs="?",
        type=Path,
        help="scenario file, such as scenarios/cold_start.yaml; not needed with --resume and --replay",
    )
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="run directory to make (default: runs/NAME-TIME-ID)"
    )
    options.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the scenario, such as --set users.count=50; may be repeated",
    )
    mode = options.add_mutually_exclusive_group()
    mode.add_argument("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped")
    mode.add_argument(
        "--replay",
        type=Path,
        metavar="DIR",
        help="answer from the record of a run and from nothing else: no client, no key, no network",
    )
    mode.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="answer from the record of a run first, and ask the endpoint for what is not there",
    )
    mode.add_argument(
        "--refresh",
        action="store_true",
        help="ask anew what the response cache holds, and put the new answers there",
    )
    options.add_argument(
        "--retry-errors", action="store_true", help="with --resume: also make the calls again that had failed"
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="train, render and count every prompt, tell what the calls would cost, and send nothing",
    )
    options.add_argument(
        "--max-cost", type=dollars, metavar="USD", help="stop before the run costs more than this, resumable"
    )
    options.add_argument("--max-calls", type=_count, metavar="N", help="the same for answered calls")
    options.add_argument("--max-tokens", type=_count, metavar="N", help="the same for tokens, in and out")
    options.add_argument(
        "--no-report",
        action="store_true",
        help="do not write report.html at the end (python -m simulator.report DIR does it later)",
    )
    options.add_argument(
        "--json",
        action="store_true",
        help="print path and contents of metrics.json (or the forecast of --dry-run) on standard output, all else on "
        "standard error",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    options = parser().parse_args(arguments)
    _check_together(options)
    # Threads that spin while they wait starve each other wherever the cores are shared; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported after the command line is read: a misspelt option need not wait for torch.
    from agents.llm import BudgetReached
    from simulator.experiment import MISTAKES, Halt, ReplayMiss

    try:
        return _forecast(options) if options.dry_run else _run(options)
    except ReplayMiss as miss:
        return _fail(f"replay miss: {miss}", REPLAY_MISS)
    except BudgetReached as reached:
        return _fail(f"budget reached: {reached}", BUDGET_REACHED, reached)
    except (Halt, *MISTAKES) as mistake:
        return _fail(f"error: {mistake}", USAGE, mistake)
    except KeyboardInterrupt as interrupt:
        return _fail("interrupted", INTERRUPTED, interrupt)


def _run(options: argparse.Namespace) -> int:
    from recommender.stages import Stages, plain_console
    from simulator.experiment import replay, resume, run
    from simulator.report.terminal import show
    from simulator.report.words import without_answer
    from simulator.scenario import load

    errors = plain_console(stderr=True)
    stages = Stages(errors)
    if options.replay:
        # Not checked for what only training and asking need: a replay does neither.
        scenario = load(options.scenario or options.replay / "scenario.yaml", options.overrides)
        outcome = replay(options.replay, scenario, options.out, stages)
    elif options.resume:
        outcome = resume(options.resume, *_asked(options), stages, _sending(options))
    else:
        outcome = run(_scenario(options), options.out, stages, _sending(options))
    show(
        errors if options.json else plain_console(),
        outcome.summary,
        outcome.metrics,
        outcome.scenario.cutoffs,
    )
    where = f"run directory: {outcome.directory.path}"
    if not (options.no_report or outcome.was_complete):
        # Imported here: a run need not wait for what draws figures until it has some.
        from simulator.report.html.page import write_page

        where += f"\nreport: {write_page(outcome.directory.path)}"
    if options.json:
        print(where, file=sys.stderr)
        print(
            json.dumps(
                {"path": str(outcome.directory.metrics), "metrics": outcome.metrics}, ensure_ascii=False
            )
        )
    else:
        print(where)
    tolerated = outcome.scenario.tolerance.failed
    if outcome.was_complete:
        print("this run was complete already; nothing was done", file=sys.stderr)
    elif outcome.failed_share > tolerated:
        return _fail(
            f"{outcome.failed_share:.1%} of the turns brought no usable answer, more than tolerance.failed allows "
            f"({tolerated:.1%}); they {without_answer(outcome.summary)}. Calls that failed are made again with: "
            f"python -m simulator.run --resume {outcome.directory.path} --retry-errors",
            TOO_MANY_FAILURES,
        )
    return COMPLETE


def _forecast(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from recommender.stages import Stages, plain_console
    from simulator.experiment import forecast, forecast_rest
    from simulator.forecast import power_of_study
    from simulator.report.terminal import show_forecast
    from simulator.scenario import load

    errors = plain_console(stderr=True)
    stages, sending = Stages(errors), _sending(options)
    if options.resume:
        directory, found = forecast_rest(options.resume, *_asked(options), stages, sending)
    else:
        directory, found = forecast(_scenario(options), options.out, stages, sending)
    if found is None:
        print(f"{directory.path}: this run is complete; nothing is left to pay for", file=sys.stderr)
        return COMPLETE
    power = power_of_study(load(directory.scenario))
    show_forecast(errors if options.json else plain_console(), found, sending.caps, power)
    if options.json:
        told = {"forecast": asdict(found), "power": None if power is None else asdict(power)}
        print(json.dumps({"path": str(directory.path), **told}, ensure_ascii=False))
    print(
        f"nothing was sent; to begin: python -m simulator.run --resume {directory.path}",
        file=sys.stderr if options.json else sys.stdout,
    )
    return COMPLETE


def _scenario(options: argparse.Namespace) -> Scenario:
    from simulator.scenario import load
    from simulator.study import check_arm

    return load(options.scenario, options.overrides, check_arm)


def _asked(options: argparse.Namespace) -> tuple[Scenario | None, list[str]]:
    """What a resumed run is asked to be: a whole scenario if a file is given, else changes of the stored one."""
    return (_scenario(options), []) if options.scenario else (None, options.overrides)


def _sending(options: argparse.Namespace) -> Sending:
    from agents.llm import Caps
    from simulator.sending import Sending
    from simulator.transcript.directory import RunDirectory

    return Sending(
        caps=Caps(options.max_calls, options.max_tokens, options.max_cost),
        retry_errors=options.retry_errors,
        recording=options.record and RunDirectory(options.record).calls,
        refresh=options.refresh,
    )


def _check_together(options: argparse.Namespace) -> None:
    """Options that contradict each other end here, with the usage."""
    error = parser().error
    caps = [options.max_cost, options.max_calls, options.max_tokens]
    if options.scenario is None and not (options.replay or options.resume):
        error(
            "a scenario file is needed, such as scenarios/cold_start.yaml (or --resume DIR, or --replay DIR)"
        )
    if options.resume and options.out:
        error("--resume goes on in the run's own directory; leave --out out")
    if options.retry_errors and not options.resume:
        error("--retry-errors belongs to --resume: only a run that was made has failed calls")
    if options.replay and (options.dry_run or any(cap is not None for cap in caps)):
        error("--replay asks nobody and costs nothing: leave --dry-run and caps out")


def dollars(text: str) -> Decimal:
    """An amount as the command line takes it; ArgumentTypeError if it is none."""
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars, such as 2.50")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def _fail(message: str, code: int, error: BaseException | None = None) -> int:
    print("\n".join([message, *getattr(error, "__notes__", ())]), file=sys.stderr)
    return code


if __name__ == "__main__":
    exit_on_collision()
    sys.exit(main())
