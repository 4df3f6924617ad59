"""A made-up world as tools write it: letters that any model can write, and proofs that one can."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# what both models can, and what only the dear one can; both take as long, so that half of the way
# in spend is what the hard ones cost
EASY = (
    "Write a friendly letter about {thing} and {other}.",
    "Tell a short story for children about {thing} and {other}.",
    "Write an advertisement for {thing} and {other}.",
)
HARD = (
    "Prove by induction that {n} divides every term of the sequence a(k) = {n}^k + {m}*{n}.",
    "Find all integer solutions of {n}x^2 - {m}y^2 = {n} and prove that there are no others.",
    "Prove that the group of order {n} times {m} has a normal subgroup.",
)
THINGS = (
    "rivers", "lanterns", "harbours", "needles", "orchards", "pillows", "saddles", "storms",
    "valleys", "whistles", "anchors", "baskets", "candles", "tents", "engines", "feathers",
)  # fmt: skip
CHEAP, DEAR = "gpt-4o-mini", "gpt-4o"
PRICES = {CHEAP: (0.15, 0.6), DEAR: (2.5, 10)}  # US dollars per million tokens
GOOD = {(CHEAP, True): 0.9, (DEAR, True): 0.96, (CHEAP, False): 0.1, (DEAR, False): 0.85}

UNSEEN = {
    CHEAP: (
        "Write a friendly letter about mountains and castles.",
        "Tell a short story for children about gardens and monks.",
    ),
    DEAR: (
        "Find all integer solutions of 19x^2 - 8y^2 = 19 and prove that there are no others.",
        "Prove by induction that 14 divides every term of the sequence a(k) = 14^k + 6*14.",
    ),
}


def asks(n: int, rng: random.Random) -> Iterator[tuple[str, bool]]:
    """Prompts, none of them twice, and whether each is an easy one."""
    seen = set[str]()
    while len(seen) < n:
        easy = len(seen) % 5 < 3
        thing, other = rng.sample(THINGS, 2)
        numbers = {"n": rng.randint(3, 60), "m": rng.randint(3, 60)}
        text = rng.choice(EASY if easy else HARD).format(thing=thing, other=other, **numbers)
        if text not in seen:
            seen.add(text)
            yield text, easy


def answer(model: str, easy: bool, rng: random.Random) -> dict[str, Any]:
    """Whether it was right, its tokens and its price."""
    read, written = (22 if easy else 40), rng.randint(300, 500)
    usd = (read * PRICES[model][0] + written * PRICES[model][1]) / 1e6
    right = rng.random() < GOOD[model, easy]
    return {"right": right, "read": read, "written": written, "usd": usd}


def promptfoo(folder: Path) -> str:
    """What `promptfoo eval --output results.json` writes: every test by both providers.

    Returns:
        What `tierwise data ingest` is to be given.
    """
    rng = random.Random(0)  # noqa: S311
    results = []
    for test, (text, easy) in enumerate(asks(200, rng)):
        for place, model in enumerate((CHEAP, DEAR)):
            found = answer(model, easy, rng)
            verdict = {"pass": found["right"], "score": int(found["right"]), "reason": ""}
            results.append(
                {
                    "id": f"{test}-{place}",
                    "testIdx": test,
                    "promptIdx": place,
                    "promptId": "d3adb33f",
                    "provider": {"id": f"openai:chat:{model}", "label": ""},
                    "prompt": {"raw": text, "label": "{{question}}"},
                    "vars": {"question": text},
                    "score": int(found["right"]),
                    "success": found["right"],
                    "failureReason": 0 if found["right"] else 1,
                    "namedScores": {},
                    "latencyMs": 800,
                    "cost": found["usd"],
                    "response": {
                        "output": "…",
                        "tokenUsage": {
                            "prompt": found["read"],
                            "completion": found["written"],
                            "total": found["read"] + found["written"],
                        },
                        "cached": False,
                    },
                    "gradingResult": {**verdict, "componentResults": []},
                }
            )
    stats = {"successes": 0, "failures": 0, "errors": 0}
    document = {
        "evalId": "eval-q1-2026",
        "results": {"version": 3, "prompts": [], "results": results, "stats": stats},
        "config": {},
        "shareableUrl": None,
    }
    (folder / "results.json").write_text(json.dumps(document))
    return "results.json"


def litellm(folder: Path) -> str:
    """LiteLLM_SpendLogs as CSV, one model per prompt, and scores by request; what to ingest."""
    rng = random.Random(1)  # noqa: S311
    logged, scores = [], ["request_id,score"]
    for i, (text, easy) in enumerate(asks(480, rng)):
        model = rng.choice((CHEAP, DEAR))
        found = answer(model, easy, rng)
        logged.append(
            {
                "request_id": f"chatcmpl-{i:04}",
                "call_type": "acompletion",
                "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
                "spend": found["usd"],
                "total_tokens": found["read"] + found["written"],
                "prompt_tokens": found["read"],
                "completion_tokens": found["written"],
                "startTime": f"2026-10-{1 + i % 28:02} 09:12:44.1",
                "endTime": f"2026-10-{1 + i % 28:02} 09:12:46.3",
                "model": model,
                "model_group": "chat",
                "custom_llm_provider": "openai",
                "cache_hit": "False",
                "messages": json.dumps([{"role": "user", "content": text}]),
                "response": json.dumps({"choices": [{"message": {"content": "…"}}]}),
                "status": "success",
                "proxy_server_request": "{}",
            }
        )
        scores.append(f"chatcmpl-{i:04},{int(found['right'])}")
    with (folder / "spend.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, logged[0])
        writer.writeheader()
        writer.writerows(logged)
    (folder / "scores.csv").write_text("\n".join(scores) + "\n")
    return "spend.csv --labels scores.csv"
