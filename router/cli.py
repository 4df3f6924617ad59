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

import click

from .bundle import Bundle
from .engine import Router
from .errors import RouterError
from .policy import Policy
from .store_cli import candidate, history, promote, rollback
from .version import __version__

# command -> (module, attribute, extra that holds what it imports)
ELSEWHERE = {
    "data": ("data.cli", "data", "train"),
    "train": ("training.cli", "train", "train"),
    "evaluate": ("training.evaluation.cli", "evaluate", "train"),
    "sweep": ("training.evaluation.cli", "sweep", "train"),
    "retrain": ("training.retrain.cli", "retrain", "train"),
    "gate": ("training.gate.cli", "gate", "train"),
    "status": ("training.drift.cli", "status", "train"),
    "decide": ("training.scale.cli", "decide", "train"),
    "allocate": ("training.scale.allocate", "allocate", "train"),
    "plan-labels": ("training.labels.cli", "plan_labels", "train"),
    "serve": ("serving.cli", "serve", "serve"),
}


class LazyGroup(click.Group):
    """A group whose commands of other folders are imported only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, without importing any of them."""
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now if it lives in another folder."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, attribute, extra = ELSEWHERE[cmd_name]
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
            rows.append((name, own.get_short_help_str(60) if own else SUMMARIES[name]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


SUMMARIES = {
    "data": "Bring outcome tables in, check them, simulate them.",
    "train": "Train a bundle from outcomes and prompts.",
    "evaluate": "Measure a bundle on held-out outcomes.",
    "sweep": "Draw the cost-quality frontier of a bundle.",
    "retrain": "Train a candidate from the decision log.",
    "gate": "Compare a candidate with the incumbent, check by check.",
    "status": "What is live, what it logged, and what drifted.",
    "decide": "Decide for a whole table of prompts.",
    "allocate": "Spend one budget over a table of prompts.",
    "plan-labels": "Choose answers to have judged within a budget.",
    "serve": "Serve a bundle over HTTP.",
}


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="tierwise")
def main() -> None:
    """Route every prompt to the model and compute tier that is worth its price."""


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--threshold", type=float, help="0 cheapest … 1 best; the bundle has a default.")
@click.option("--min-quality", type=float, help="Cheapest arm that reaches this probability.")
@click.option("--max-quality-drop", type=float, help="Largest loss against the best single arm.")
@click.option("--max-cost-usd", type=float, help="Best arm within this price per request.")
@click.option("--allow", "allowed", multiple=True, help="Model wildcard; may be repeated.")
def route(
    bundle: Path,
    prompt: str,
    threshold: float | None,
    min_quality: float | None,
    max_quality_drop: float | None,
    max_cost_usd: float | None,
    allowed: tuple[str, ...],
) -> None:
    """Print the decision for PROMPT as one JSON object."""
    try:
        policy = Policy(
            threshold=threshold,
            min_quality=min_quality,
            max_quality_drop=max_quality_drop,
            max_cost_usd=max_cost_usd,
            allowed_models=allowed,
        )
        decision = Router.load(bundle).route(prompt, policy)
    except RouterError as err:
        raise click.ClickException(str(err)) from err
    click.echo(json.dumps(decision.to_dict(), indent=2, ensure_ascii=False))


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
def verify(bundle: Path) -> None:
    """Check every hash of BUNDLE and replay its golden prompts."""
    try:
        manifest = Bundle.load(bundle).manifest
    except RouterError as err:
        raise click.ClickException(str(err)) from err
    click.echo(f"{manifest.bundle_id}: {len(manifest.files)} files, golden prompts reproduced")


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
def inspect(bundle: Path) -> None:
    """Print what BUNDLE is, with its arms, prices and metrics, as JSON."""
    try:
        manifest = Bundle.load(bundle).manifest
    except RouterError as err:
        raise click.ClickException(str(err)) from err
    click.echo(json.dumps(asdict(manifest), indent=2, ensure_ascii=False))


for command in (promote, rollback, history, candidate):
    main.add_command(command)
