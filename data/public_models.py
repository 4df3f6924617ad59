"""The public catalogue that ships with the router, made of LiteLLM's price file of a day.

A model at its maker's own API stands under its bare name, every host's under `provider/name`;
regional copies, fine-tuned copies and commitments are left out. Open weights that many serve get
one entry more, under the bare name, of what most hosts say alike. The models of `retired.toml`
replace those of the same name: the price file drops a model when it ends.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from router.catalogue.names import bare

from .errors import FormatError
from .pricelists import ANSWERING_MODES, NOT_MODELS, read_abilities, read_price

RETIRED = Path(__file__).with_name("retired.toml")
SOURCE = "https://github.com/BerriAI/litellm, model_prices_and_context_window.json"
LICENCE = (
    "MIT License. Copyright (c) 2023 Berri AI. Permission is hereby granted, free of charge, to "
    "any person obtaining a copy of this software and associated documentation files (the "
    '"Software"), to deal in the Software without restriction, including without limitation the '
    "rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of "
    "the Software, and to permit persons to whom the Software is furnished to do so, subject to "
    "the following conditions: The above copyright notice and this permission notice shall be "
    "included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "
    '"AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE '
    "WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO "
    "EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER "
    "LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN "
    "CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)
# LiteLLM's provider -> (our name of it, how the names of its own models begin; "" is all)
MAKERS = {
    "openai": ("openai", ("",)),
    "text-completion-openai": ("openai", ("",)),
    "anthropic": ("anthropic", ("",)),
    "gemini": ("gemini", ("",)),
    "xai": ("xai", ("",)),
    "cohere": ("cohere", ("",)),
    "cohere_chat": ("cohere", ("",)),
    "ai21": ("ai21", ("",)),
    "amazon_nova": ("amazon-nova", ("",)),
    "perplexity": ("perplexity", ("sonar",)),
    "deepseek": ("deepseek", ("",)),
    "mistral": ("mistral", ("mi", "mag", "codestral", "devstral", "open-", "voxtral", "pixtral")),
    "dashscope": ("dashscope", ("qwen", "qwq", "qvq")),
    "moonshot": ("moonshot", ("",)),
    "zai": ("zai", ("",)),
    "minimax": ("minimax", ("",)),
    "meta": ("meta", ("",)),
    "meta_llama": ("meta_llama", ("",)),
    "xiaomi_mimo": ("xiaomi_mimo", ("",)),
    "tencent": ("tencent", ("hy",)),
}
# their weights are published, so that a model lives on elsewhere when its maker's API ends
OPEN_WEIGHTS = frozenset(
    {"deepseek", "mistral", "dashscope", "moonshot", "zai", "minimax", "meta_llama", "xiaomi_mimo"}
)
HOSTS = {
    "azure": "azure",
    "azure_ai": "azure_ai",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "together_ai": "together_ai",
    "fireworks_ai": "fireworks_ai",
    "deepinfra": "deepinfra",
    "groq": "groq",
    "cerebras": "cerebras",
    "mistral": "mistral",  # these serve models of others, too
    "dashscope": "dashscope",
    "tencent": "tencent",
}
NOT_ONE_MODEL = re.compile(r"^ft:|^together-ai-|container$|model-router|/preset/")
REGIONAL = re.compile(
    r"^(?:us|us-gov|eu|apac|au|ca|in|jp|global)\.|^azure/(?:us|eu|global|global-standard)/"
    r"|^bedrock/[^/]+/|^bedrock/(?:us|eu)\."
)

Entry = dict[str, Any]


def public_models(raw: Mapping[str, Any], day: date, retired: Path = RETIRED) -> dict[str, Any]:
    """The plain values of `router/catalogue/public.json`.

    Args:
        raw: LiteLLM's file.
        day: of the file.
        retired: TOML of models that are stated by hand.
    """
    own: dict[str, Entry] = {}
    hosted: dict[str, Entry] = {}
    served = defaultdict(list)  # bare name -> what each provider says that it can do
    for name, entry in _answering(raw):
        found = _entry(name, entry)
        key = _own_name(name, entry["litellm_provider"])
        if key is not None:
            provider = MAKERS[entry["litellm_provider"]][0]
            is_open = {"open": True} if provider in OPEN_WEIGHTS or "gemma" in key else {}
            own.setdefault(key, {"provider": provider, **is_open, **found})
            continue
        served[bare(name)].append(read_abilities(entry))
        host = _host(entry["litellm_provider"])
        if host is not None and not REGIONAL.search(name):
            key = name if name.startswith(f"{host}/") else f"{host}/{name}"
            hosted[key] = {"provider": host, **found}
    own |= _by_hand(retired)
    taken = {name.casefold() for name in own}
    most = {n: _usual(said) for n, said in served.items() if n not in taken and len(said) > 1}
    models = {**hosted, **{name: entry for name, entry in most.items() if entry}, **own}
    return {
        "date": day.isoformat(),
        "source": SOURCE,
        "licence": LICENCE,
        "models": {name: models[name] for name in sorted(models)},
    }


def write_public(document: Mapping[str, Any], path: Path) -> None:
    """Write the catalogue, one model a line, so that two of them can be compared."""
    lines = [
        f"  {json.dumps(name)}: {json.dumps(entry, separators=(',', ':'), sort_keys=True)}"
        for name, entry in document["models"].items()
    ]
    head = {key: value for key, value in document.items() if key != "models"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "models": {\n' + ",\n".join(lines) + "\n }\n}\n"
    path.write_text(text, "utf-8")


def _answering(raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, entry in raw.items():
        if name in NOT_MODELS or not isinstance(entry, dict) or NOT_ONE_MODEL.search(name):
            continue
        if entry.get("mode") in ANSWERING_MODES and isinstance(entry.get("litellm_provider"), str):
            yield name, entry


def _own_name(name: str, provider: str) -> str | None:
    """The bare name of a model at its maker's own API; null where another serves it."""
    if provider not in MAKERS:
        return None
    short = name.removeprefix(f"{provider}/").removeprefix(f"{MAKERS[provider][0]}/")
    return short if "/" not in short and short.startswith(MAKERS[provider][1]) else None


def _host(provider: str) -> str | None:
    return "vertex_ai" if provider.startswith("vertex_ai") else HOSTS.get(provider)


def _entry(name: str, entry: Mapping[str, Any]) -> Entry:
    """Abilities and price of an entry, in the words of a catalogue."""
    price = read_price(name, entry, None)
    if isinstance(price, str):
        return dict(read_abilities(entry))
    usd = {key: value for key, value in asdict(price).items() if value is not None}
    del usd["model"]
    return {**read_abilities(entry), "price": usd}


def _usual(said: list[dict[str, Any]]) -> Entry:
    """What more than half of the hosts say alike, silence counted; an end is one host's own.

    The file mostly states an ability where there is one, so a host that is silent may lack it.
    """
    found: Entry = {}
    for name in sorted({name for one in said for name in one} - {"retired"}):
        values = [one[name] for one in said if name in one]
        usual = max(values, key=values.count)
        if values.count(usual) * 2 > len(said):
            found[name] = usual
    if found.get("efforts") and found.get("reasoning") is not True:
        del found["efforts"]
    return found


def _by_hand(path: Path) -> dict[str, Entry]:
    """The models of the supplement, each under all its names, with dates as text."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))["models"]
    except (OSError, ValueError, KeyError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err
    found = {}
    for name, stated in raw.items():
        entry = {k: v.isoformat() if isinstance(v, date) else v for k, v in stated.items()}
        for other in (name, *entry.pop("names", ())):
            found[other] = entry
    return found
