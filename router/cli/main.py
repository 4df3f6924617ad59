"""The `tierwise` command: one command line for everything.

Deciding needs this package alone. Training, data and serving live in the other folders of the
checkout; their commands are loaded by name when they are called, so a plain install still has
`route`, `inspect` and `verify`, and says what the rest would need.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..catalogue.catalogue import Catalogue
from ..core.bundle import Bundle, catalogue_beside
from ..engine import Router
from ..errors import RouterError, in_words
from ..explain import explain as explain_decision
from ..version import __version__
from .asking import PromptCommand, decision_options, read_asked
from .catalogue import catalogue
from .explain_text import render
from .inspect_text import describe
from .store import candidate, history, promote, rollback

# Commands of the other folders, described without importing them. `add-model` is the function
# `add_model` of training/commands/add_model.py; two are elsewhere, and what they import is in the
# named extra.
ELSEWHERE = {
    "init": "Make a router of the models that you have, in a minute.",
    "data": "Bring outcome tables in, check them, simulate them.",
    "train": "Train a bundle from outcomes and prompts.",
    "evaluate": "Measure a bundle on held-out outcomes.",
    "sweep": "Draw the cost-quality frontier of a bundle.",
    "retrain": "Train a candidate from the decision log.",
    "gate": "Compare a candidate with the incumbent, check by check.",
    "status": "What is live, what it logged, and what drifted.",
    "decide": "Decide for a whole table of prompts.",
    "score": "Score candidates on a whole table of prompts.",
    "allocate": "Spend one budget over a table of prompts.",
    "add-model": "Add a model to a bundle from few labels.",
    "remove-model": "Take a model or a tier out of a bundle.",
    "reprice": "Put new prices into a bundle.",
    "calibrate": "Certify a threshold, or say what each does to your prompts.",
    "plan-labels": "Choose answers to have judged within a budget.",
    "derive-tiers": "Derive best-of-n, votes and revisions from repeated samples.",
    "serve": "Serve a bundle over HTTP.",
}
MODULES = {"data": ("data.commands", "train"), "serve": ("serving.cli", "serve")}


class LazyGroup(click.Group):
    """A group whose commands of other folders are imported only when asked for."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command; what cannot be done becomes a line and exit code 1, or 2 for usage."""
        try:
            return super().invoke(ctx)
        except RouterError as err:
            raise click.ClickException(str(err)) from err
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as err:
            asked = ctx.command_path if err.ctx is None else err.ctx.command_path
            # without a context, click does not print three lines of usage before it
            raise click.UsageError(f"{err.format_message()} ({asked} --help says more)") from err
        except OSError as err:
            if err.filename is None:  # a pipe that was closed
                raise
            raise click.ClickException(in_words(err)) from err

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, without importing any of them."""
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now if it lives in another folder."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        attribute = cmd_name.replace("-", "_")
        module, extra = MODULES.get(cmd_name, (f"training.commands.{attribute}", "train"))
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as err:
            raise click.ClickException(
                f"`tierwise {cmd_name}` needs {err.name}, which is not installed; "
                f"in a checkout run: pip install -e '.[{extra}]'"
            ) from err
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands; those of other folders are described without importing them."""
        rows = []
        for name in self.list_commands(ctx):
            own = self.commands.get(name)
            rows.append((name, own.get_short_help_str(60) if own else ELSEWHERE[name]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="tierwise")
def main() -> None:
    """Route every prompt to the model and compute tier that is worth its price."""


@main.command(cls=PromptCommand)
@decision_options
def route(bundle: Path, catalogue: Path | None, **asked: Any) -> None:  # noqa: ANN401
    """Print the decision for PROMPT as one JSON object.

    - as PROMPT reads standard input. The options are the knobs of POST /route but for budgets,
    which pace the stream of a service.
    """
    view, policy, warnings = read_asked(**asked)
    _warn(warnings)
    router = _router(bundle, catalogue)
    decision = router.decide(view, router.score(view), policy)
    click.echo(_json(decision.to_dict() | {"warnings": warnings}))


@main.command(cls=PromptCommand)
@decision_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def explain(
    bundle: Path, catalogue: Path | None, as_json: bool, **asked: Any  # noqa: ANN401
) -> None:  # fmt: skip
    """Say why an arm is chosen for PROMPT, and what would change that.

    - as PROMPT reads standard input. The options are the knobs of POST /explain.
    """
    view, policy, warnings = read_asked(**asked)
    _warn(warnings)
    router = _router(bundle, catalogue)
    found = explain_decision(router, view, router.score(view), policy)
    document = found.to_dict() | {"warnings": warnings}
    click.echo(_json(document) if as_json else render(found))


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _router(bundle: Path, catalogue: Path | None) -> Router:
    router, catalogue = Router.load(bundle), catalogue or catalogue_beside(bundle)
    return router if catalogue is None else router.recatalogued(Catalogue.load(catalogue))


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
def verify(bundle: Path) -> None:
    """Check every hash of BUNDLE and replay its golden prompts."""
    manifest = Bundle.load(bundle).manifest
    click.echo(f"{manifest.bundle_id}: {len(manifest.files)} files, golden prompts reproduced")


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def inspect(bundle: Path, as_json: bool) -> None:
    """Print what BUNDLE is, with its arms, prices and metrics, as a table."""
    manifest = Bundle.load(bundle).manifest
    click.echo(_json(asdict(manifest)) if as_json else describe(manifest))


for command in (promote, rollback, history, candidate, catalogue):
    main.add_command(command)
