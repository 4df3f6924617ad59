"""What `tierwise route` and `explain` are asked: a prompt, a body or standard input, and knobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.policy import Policy, Requires
from ..errors import PolicyError
from ..request.needs import ABILITIES
from ..request.read import read_request
from ..request.view import PromptView, view_of

STDIN = "-"
MOST_DIGITS = 18
FLAGS = {"true": True, "false": False}
BUDGETS = ("budget", "budget_usd", "budget_key", "budget_period", "budget_hard_stop")
_OPTION = re.compile(r"--?[A-Za-z][\w-]*(?:=.*)?", re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair, or a byte that is not UTF-8

Asked = TypeVar("Asked", bound=Callable[..., Any])


class PromptCommand(click.Command):
    """A command whose last argument is a prompt, which may begin with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a prompt that is no option behind `--`; say how, where it might be one."""
        if "--" not in args and (at := self._prompt(ctx, args)) is not None:
            args = [*args[:at], *args[at + 1 :], "--", args[at]]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as err:
            if err.possibilities:  # a slip
                raise
            hint = "a prompt that begins with a dash goes last, behind --"
            raise click.UsageError(f"{err.format_message()} {hint.capitalize()}", ctx) from None

    def _prompt(self, ctx: click.Context, args: list[str]) -> int | None:
        """Place of the only argument that begins with a dash and has no option's look."""
        takes = {
            name
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        odd = [
            i
            for i, arg in enumerate(args)
            if arg.startswith("-") and arg != STDIN and not _OPTION.fullmatch(arg)
            and (i == 0 or args[i - 1] not in takes)
        ]  # fmt: skip
        return odd[0] if len(odd) == 1 else None


def decision_options(command: Asked) -> Asked:
    """What is asked, and the knobs of POST /route but for budgets, which pace a stream."""
    path = click.Path(path_type=Path)
    options = (
        click.argument("bundle", type=path),
        click.argument("prompt", required=False),
        click.option("--messages", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
                     help="In PROMPT's place: JSON of a request's body or its messages; - is "
                     "standard input."),
        click.option("--threshold", type=float, help="0 cheapest … 1 best; else the bundle's own."),
        click.option("--min-quality", type=float, help="Cheapest arm that reaches this."),
        click.option("--max-quality-drop", type=float, help="Loss against the best single arm."),
        click.option("--max-cost-usd", type=float, help="Best arm within this price."),
        click.option("--max-latency-ms", type=float, help="By the catalogue's quantiles."),
        click.option("--current-arm", help="Who answered the turn before: MODEL or MODEL|TIER."),
        click.option("--in-tool-loop/--no-tool-loop", default=None,
                     help="Left out, as the messages look."),
        click.option("--allow", "--allowed-models", "allowed_models", multiple=True,
                     help="Wildcard; may be repeated."),
        click.option("--requires", multiple=True, metavar="NAMES",
                     help=f"Of {', '.join(ABILITIES)}, context=TOKENS; commas between, or "
                     "repeated."),
        click.option("--catalogue", type=path, help="In the bundle's place."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def read_asked(
    prompt: str | None, messages: Path | None, **options: Any  # noqa: ANN401
) -> tuple[PromptView, Policy, list[str]]:  # fmt: skip
    """What is routed, by which policy, and what was not understood of it.

    An option replaces the knob of that name in a body; abilities are added to the body's.

    Raises:
        click.UsageError: not exactly one of PROMPT and --messages is given.
        click.ClickException: what they name cannot be read.
        PolicyError: the request or a knob is wrong.
    """
    if (prompt is None) == (messages is None):
        found = "neither" if prompt is None else "both"
        raise click.UsageError(
            f"give PROMPT or --messages FILE, got {found}; - as either reads standard input"
        )
    body = _prompt(prompt) if prompt is not None else _body(messages or Path(STDIN))
    fields = body if isinstance(body, dict) else {}
    request = read_request(body)
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if "requires" in given:
        given["requires"] = _requires(fields.get("requires"), given["requires"])
    warnings = [
        f"{name}: a budget paces the stream of a service, and is not used here"
        for name in BUDGETS
        if fields.get(name) is not None
    ]
    return view_of(request), Policy.of(body, **given), [*request.warnings, *warnings]


def _prompt(prompt: str) -> str:
    """The prompt, or standard input in its place."""
    text = _text(STDIN) if prompt == STDIN else _whole(prompt)
    if not text.strip():
        what = "standard input" if prompt == STDIN else "PROMPT"
        raise click.ClickException(f"{what} is empty; there is nothing to route")
    return text


def _body(path: Path) -> object:
    """A body, or messages, of a JSON file or of standard input."""
    name = "standard input" if str(path) == STDIN else str(path)
    text = _text(str(path))
    if not text.strip():
        raise click.ClickException(f"{name} is empty; it should hold a request's JSON")
    try:
        body = json.loads(text)
    except RecursionError:
        raise click.ClickException(f"{name} is nested too deeply") from None
    except ValueError as err:
        raise click.ClickException(
            f"{name} is not JSON: {err}; a plain text goes into PROMPT, or - for standard input"
        ) from None
    if not isinstance(body, dict | list):
        raise click.ClickException(
            f"{name} holds a JSON {type(body).__name__}; a request's body or a list of messages "
            "is needed"
        )
    return _repaired(body)


def _text(path: str) -> str:
    """All of a file or of standard input, UTF-8, with or without a byte order mark."""
    name = "standard input" if path == STDIN else path
    try:
        with click.open_file(path, "rb") as file:
            content: bytes = file.read()
            return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise click.ClickException(
            f"{name} is not UTF-8: byte {err.start} is 0x{err.object[err.start]:02x}; convert it, "
            "such as by iconv -t utf-8"
        ) from None
    except OSError as err:
        raise click.ClickException(f"{name} cannot be read: {err.strerror or err}") from None


def _repaired(value: Any) -> Any:  # noqa: ANN401
    """A JSON value whose texts are whole, as the service has them."""
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _repaired(item) for key, item in value.items()}
    return value


def _whole(text: str) -> str:
    return _HALF.sub("\ufffd", text)


def _requires(own: object, texts: tuple[str, ...]) -> Requires:
    """The abilities of a body and of the command line together."""
    asked = Requires() if own is None else Policy(requires=own).requires  # type: ignore[arg-type]
    values = {name: getattr(asked, name) for name in Requires.__dataclass_fields__}
    return Requires.of(values | dict(_abilities(texts)))


def _abilities(texts: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Names with values: `tools,context=8000` is tools: true and context: 8000."""
    for item in (item.strip() for text in texts for item in text.split(",")):
        name, equals, value = item.partition("=")
        if not name:
            known = ", ".join(Requires.__dataclass_fields__)
            raise PolicyError(f"requires has a name missing; known are {known}")
        number = value.isdecimal() and len(value) <= MOST_DIGITS
        told = int(value) if number else FLAGS.get(value.lower(), value)
        yield name, told if equals else True
