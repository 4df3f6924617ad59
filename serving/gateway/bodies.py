"""The body that an upstream gets: the caller's, but for the model's name and the tier's fields.

A body stays undecoded field by field, so whatever is not touched goes on byte for byte. A tier's
own word on effort, thinking and temperature counts before the caller's; of two output limits the
smaller one. What a tier cannot say on a wire keeps its arm out of the decision (`Shape.takes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from ..reading import OURS
from .wires import Wire

Fields = dict[str, Any]  # values are Raw where they are the caller's
Tier = Mapping[str, Any]  # as `router.catalogue.hints.tier_document` makes it
LIMITS: Mapping[Wire, tuple[str, ...]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
APIS: Mapping[Wire, frozenset[str]] = {
    "chat": frozenset({"openai", "gemini", "openrouter", "vllm"}),
    "responses": frozenset({"openai"}),
    "messages": frozenset({"anthropic"}),
}
MIN_THINKING = 1024  # tokens, of Anthropic's budget
STAYS = frozenset({"metadata"})  # ours on /route, the client's own here
ENVELOPE = OURS - STAYS
_ANY = msgspec.json.Decoder()
_LIST = msgspec.json.Decoder(list[Raw])


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a request decides which tiers can be executed for it.

    Attributes:
        wire: of the caller.
        single: one whole answer is asked for: no stream, and n = 1.
        pinned: it fixes what models that think on Messages refuse: temperature, top_k, a tool.
    """

    wire: Wire
    single: bool
    pinned: bool

    def takes(self, tier: Tier, api: str) -> bool:
        """Whether a tier can be executed as its specification says."""
        if tier.keys() <= {"name"}:
            return True
        if tier.get("retrieval") or ((samples := tier.get("samples")) and not self._draws(samples)):
            return False
        said = tier.get("request") or tier.get("extra_body")
        if tier.get("assistant_prefill") and self.wire == "responses":
            return False
        if self.wire == "messages" and self.pinned and _thinks(tier):
            return False
        return not said or api in APIS[self.wire]

    def _draws(self, samples: Tier) -> bool:
        """Whether several samples can be drawn and become one."""
        if not self.single or samples["aggregator"] == "sequential_revision":
            return False
        judge = samples.get("verifier")
        return judge is None or "model" in judge

    @classmethod
    def of(cls, wire: Wire, fields: Mapping[str, Raw], n: int) -> Shape:
        """The shape of a body."""
        choice = _value(fields, "tool_choice")
        forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
        warm = _value(fields, "temperature") not in (None, 1, 1.0)
        streams = _value(fields, "stream") is True
        pinned = forced or warm or _value(fields, "top_k") is not None
        return cls(wire, single=not streams and n == 1, pinned=pinned)


def _thinks(tier: Tier) -> bool:
    thinking = tier.get("request", {}).get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _value(fields: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    raw = fields.get(name)
    return _ANY.decode(memoryview(raw)) if isinstance(raw, Raw) else raw


def streams(fields: Mapping[str, Raw]) -> bool:
    """Whether a body asks for a stream."""
    return _value(fields, "stream") is True


def executed(
    fields: Mapping[str, Raw],
    wire: Wire,
    model: str,
    tier: Tier,
    api: str,
    *,
    most_tokens: int | None = None,
) -> Fields:
    """The fields for one arm.

    Args:
        fields: the caller's.
        wire: of both.
        model: its name there.
        tier: what to do at the arm's tier.
        api: whose words the tier's fields are.
        most_tokens: that a cap on cost pays for; null: no cap.
    """
    out: Fields = {name: value for name, value in fields.items() if name not in ENVELOPE}
    out["model"] = model
    asked = dict(tier.get("request", {}))
    own = [asked.pop(name) for name in LIMITS["chat"] if name in asked]
    _merge(out, _on_wire(asked, wire))
    extra = tier.get("extra_body", {})
    _merge(out, {"extra_body": extra} if api == "gemini" and extra else extra)
    _limit(out, wire, [*own, *([] if most_tokens is None else [most_tokens])])
    if suffix := tier.get("prompt_suffix"):
        _append(out, wire, suffix)
    if prefill := tier.get("assistant_prefill"):
        items = _LIST.decode(memoryview(out["messages"]))
        out["messages"] = [*items, {"role": "assistant", "content": prefill}]
    return out


def passed(fields: Mapping[str, Raw], model: str) -> Fields:
    """The fields for a model that the caller names: his own, but for ours beside them."""
    return {name: value for name, value in fields.items() if name not in ENVELOPE} | {
        "model": model
    }


def with_usage(fields: Fields) -> tuple[Fields, bool]:
    """A chat stream that ends with its usage, and whether the caller asked for that himself."""
    options = _value(fields, "stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    if asked or not isinstance(options, dict | None):
        return fields, True
    return fields | {"stream_options": {**(options or {}), "include_usage": True}}, False


def _on_wire(asked: Fields, wire: Wire) -> Fields:
    """A tier's fields of Chat Completions in the words of Responses."""
    if wire != "responses":
        return asked
    effort = asked.pop("reasoning_effort", None)
    asked.pop("n", None)  # samples are calls there
    return asked if effort is None else {**asked, "reasoning": {"effort": effort}}


def _merge(out: Fields, new: Mapping[str, Any]) -> None:
    """Put fields in; an object joins the caller's, as `output_config` holds his format, too."""
    for name, value in new.items():
        before = _value(out, name)
        joins = isinstance(before, dict) and isinstance(value, dict) and name != "thinking"
        out[name] = {**before, **value} if joins else value


def _limit(out: Fields, wire: Wire, limits: list[int]) -> None:
    if not limits:
        return
    there = [name for name in LIMITS[wire] if _value(out, name) is not None]
    name = there[0] if there else LIMITS[wire][0]
    found = [value for n in there if isinstance(value := _value(out, n), int | float)]
    for extra in there:
        del out[extra]
    out[name] = least = int(min([*found, *limits]))
    thinking = _value(out, "thinking") if wire == "messages" else None
    if isinstance(thinking, dict) and thinking.get("budget_tokens", 0) >= least:
        room = least - 1  # the answer needs a token, too
        on = {"type": "enabled", "budget_tokens": room}
        out["thinking"] = on if room >= MIN_THINKING else {"type": "disabled"}


def _append(out: Fields, wire: Wire, suffix: str) -> None:
    """Add a tier's words to the last message of the user, or say them where there is none."""
    field = "input" if wire == "responses" else "messages"
    asked = out[field]
    items = _ANY.decode(memoryview(asked)) if isinstance(asked, Raw) else asked
    if isinstance(items, str):
        out[field] = f"{items}\n\n{suffix}"
        return
    raws: list[Any] = _LIST.decode(memoryview(asked)) if isinstance(asked, Raw) else list(asked)
    for i in reversed(range(len(items))):
        item = items[i]
        if isinstance(item, dict) and item.get("role") == "user":
            raws[i] = {**item, "content": _with(item.get("content"), wire, suffix)}
            out[field] = raws
            return
    out[field] = [*raws, {"role": "user", "content": suffix}]


def _with(content: Any, wire: Wire, suffix: str) -> Any:  # noqa: ANN401
    if isinstance(content, list):
        kind = "input_text" if wire == "responses" else "text"
        return [*content, {"type": kind, "text": suffix}]
    return f"{content}\n\n{suffix}" if content else suffix
