"""Media priced by the providers' published examples."""

from __future__ import annotations

import pytest

from router.request.media import media_tokens
from router.request.types import Media


def image(width: int | None, height: int | None, detail: str | None = "high") -> Media:
    return Media(kind="image", width=width, height=height, detail=detail)


@pytest.mark.parametrize(
    ("model", "media", "tokens"),
    [
        # OpenAI, "Calculating costs", GPT-4o and its like
        ("gpt-4o", image(1024, 1024), 765),
        ("gpt-4o", image(2048, 4096), 1105),
        ("gpt-4o", image(4096, 8192, "low"), 85),
        ("openai/gpt-4.1", image(512, 512), 255),
        ("gpt-4o-mini", image(1024, 1024), 2833 + 4 * 5667),
        ("gpt-4o-mini", image(64, 64, "low"), 2833),
        ("o1", image(1024, 1024), 75 + 4 * 150),
        ("gpt-5", image(1024, 1024), 70 + 4 * 140),
        # the same page, patches of 32²: 1,024 and, scaled down, 1,452
        ("gpt-4.1-mini", image(1024, 1024), 1024 * 1.62),
        ("gpt-4.1-nano", image(1800, 2400), 1452 * 2.46),
        ("o4-mini", image(1800, 2400), 1452 * 1.72),
        # Anthropic, "Vision": 200², 1,000² and 1,092² pixels
        ("claude-sonnet-4-5", image(200, 200), 54),
        ("claude-sonnet-4-5", image(1000, 1000), 1334),
        ("claude-3-5-haiku", image(1092, 1092), 1590),
        # Google, "Understand and count tokens"
        ("gemini-2.5-flash", image(384, 384), 258),
        ("gemini-2.5-flash", image(960, 540), 6 * 258),
        ("gemini-2.5-pro", Media(kind="document", pages=10), 2580),
        ("gemini-2.5-pro", Media(kind="audio", seconds=60), 1920),
        ("gpt-4o-audio-preview", Media(kind="audio", seconds=60), 600),
    ],
)
def test_published_examples(model: str, media: Media, tokens: float) -> None:
    assert media_tokens(media, model) == pytest.approx(tokens, rel=0.015)


def test_an_image_of_unknown_size_is_taken_for_a_square_of_1024() -> None:
    assert media_tokens(image(None, None, None), "gpt-4o") == 765


@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-4-1", "gemini-2.5-pro", "some-model"])
@pytest.mark.parametrize(
    "media",
    [
        image(1, 1),
        image(100_000, 1),
        image(20_000, 20_000, "original"),
        Media(kind="audio", n_bytes=1_000_000, mime="audio/wav"),
        Media(kind="audio"),
        Media(kind="document"),
        Media(kind="document", n_bytes=900_000),
    ],
)
def test_whatever_comes_costs_something_finite(model: str, media: Media) -> None:
    assert 0 < media_tokens(media, model) < 1e6


def test_longer_documents_and_sounds_cost_more() -> None:
    for model in ("gpt-4o", "claude-opus-4-1", "gemini-2.5-pro", "some-model"):
        short, long = Media(kind="document", pages=1), Media(kind="document", pages=30)
        assert media_tokens(long, model) == pytest.approx(30 * media_tokens(short, model))
        first, second = (Media(kind="audio", n_bytes=n) for n in (10_000, 90_000))
        assert media_tokens(first, model) < media_tokens(second, model)


def test_a_document_of_plain_text_is_counted_with_the_texts() -> None:
    assert media_tokens(Media(kind="document", text="Dear Sir"), "gpt-4o") == 0
