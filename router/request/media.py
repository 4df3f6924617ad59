"""What images, sounds and documents cost in tokens, by each provider's published rule."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

from router.request.families import family_of
from router.request.types import Media

UNKNOWN_SIDE = 1024  # pixels: the size that is assumed where a request does not tell an image's
UNKNOWN_SECONDS = 30.0  # of a sound whose bytes are not in the request; ours: a voice message
BYTES_PER_PAGE = 75_000  # of a PDF; ours: text and figures as office software writes them
BYTES_PER_SECOND = 16_000  # of a sound; ours: 128 kbit/s, MP3's usual rate
WAVE_BYTES_PER_SECOND = 48_000  # 16 bits, one channel, 24 kHz, as OpenAI's API takes PCM
PAGE_TOKENS = 600.0  # of a page's text; ours: some 450 words of English

Rule = Callable[[int, int, str], float]  # width, height, detail -> tokens


def media_tokens(media: Media, model: str) -> float:
    """Tokens that one piece of media costs one model; what a size is not known of is assumed.

    A document that is plain text costs nothing here: its text is counted with the other texts.
    """
    if media.kind == "image":
        width, height = media.width or UNKNOWN_SIDE, media.height or UNKNOWN_SIDE
        return _image_rule(model)(width, height, media.detail or "auto")
    if media.kind == "audio":
        return _seconds(media) * _audio_rate(model)
    if media.text:
        return 0.0
    pages = media.pages or max(1, round((media.n_bytes or 1) / BYTES_PER_PAGE))
    return pages * _page(model)


def _tiles(base: float, tile: float) -> Rule:
    """OpenAI, "Images and vision": into 2,048², shortest side to 768, then tiles of 512²."""

    def rule(width: int, height: int, detail: str) -> float:
        if detail == "low":
            return base
        scale = min(1.0, 2048 / max(width, height))
        scale *= min(1.0, 768 / (min(width, height) * scale))
        across, down = (math.ceil(round(side * scale, 3) / 512) for side in (width, height))
        return base + tile * across * down

    return rule


def _patches(factor: float, most: int = 1536) -> Rule:
    """OpenAI, the same page: patches of 32², scaled down until at most 1,536 cover the image."""

    def rule(width: int, height: int, detail: str) -> float:
        if detail == "low":
            width, height = (
                round(side * min(1.0, 512 / max(width, height))) for side in (width, height)
            )
        across, down = width / 32, height / 32
        if math.ceil(across) * math.ceil(down) > most:
            shrink = math.sqrt(most / (across * down))
            whole = min(math.floor(side * shrink) / (side * shrink) for side in (across, down))
            across, down = across * shrink * whole, down * shrink * whole
        return factor * min(most, math.ceil(round(across, 6)) * math.ceil(round(down, 6)))

    return rule


def _area(per_token: float, long_edge: int, most: float) -> Rule:
    """Anthropic, "Vision": width * height / 750 after the long edge is scaled to 1,568 pixels."""

    def rule(width: int, height: int, _detail: str) -> float:
        scale = min(1.0, long_edge / max(width, height))
        return min(most, width * height * scale * scale / per_token)

    return rule


def _gemini(width: int, height: int, _detail: str) -> float:
    """Google, "Understand and count tokens": 258, or 258 for each tile of a larger image."""
    if max(width, height) <= 384:
        return 258.0
    tile = min(768, max(256, int(min(width, height) / 1.5)))
    return 258.0 * math.ceil(width / tile) * math.ceil(height / tile)


def _gemini_3(_width: int, _height: int, _detail: str) -> float:
    """Google, "Gemini 3 developer guide": 1,120 at the resolution that is its default."""
    return 1120.0


# OpenAI, "Calculating costs": the first that matches decides.
_OPENAI: tuple[tuple[str, Rule], ...] = (
    (r"gpt-4o-mini", _tiles(2833, 5667)),
    (r"gpt-4\.1-mini|gpt-5(\.\d)?-mini", _patches(1.62)),
    (r"gpt-4\.1-nano|gpt-5(\.\d)?-nano", _patches(2.46)),
    (r"o4-mini", _patches(1.72)),
    (r"gpt-5", _tiles(70, 140)),
    (r"(?<![a-z0-9])o[13](?![0-9])", _tiles(75, 150)),
    (r"computer-use", _tiles(65, 129)),
)


@cache
def _image_rule(model: str) -> Rule:
    name = model.lower()
    family = family_of(name)
    if family in {"o200k", "cl100k"}:
        return next((rule for p, rule in _OPENAI if re.search(p, name)), _tiles(85, 170))
    if family == "claude":
        return _area(750, 1568, 1600)
    if family == "gemini":
        return _gemini_3 if "gemini-3" in name else _gemini
    if family == "mistral":
        return _area(16 * 16, 1024, 4096)  # Mistral, Pixtral 12B: patches of 16², to 1,024 pixels
    if family == "qwen":
        return _area(28 * 28, 4096, 16384)  # Qwen2-VL: one token for each 28², 16,384 at most
    return _tiles(85, 170)  # ours: others do not publish one, or bill as OpenAI does


def _audio_rate(model: str) -> float:
    """Tokens of a second: Gemini 32 and OpenAI 10 (one for each 100 ms); others, ours: 25."""
    return {"gemini": 32.0, "o200k": 10.0, "cl100k": 10.0}.get(family_of(model), 25.0)


def _seconds(media: Media) -> float:
    if media.seconds is not None:
        return media.seconds
    wave = "wav" in (media.mime or "") or "pcm" in (media.mime or "")
    if media.n_bytes is None:
        return UNKNOWN_SECONDS
    return media.n_bytes / (WAVE_BYTES_PER_SECOND if wave else BYTES_PER_SECOND)


def _page(model: str) -> float:
    """Tokens of one page of a PDF.

    Gemini bills 258 ("Document understanding"), from 3 on 560. Anthropic ("PDF support") and
    OpenAI ("File inputs") bill the page's text, 1,500 to 3,000 by Anthropic's figures, and its
    image.
    """
    family = family_of(model)
    if family == "gemini":
        return 560.0 if "gemini-3" in model.lower() else 258.0
    if family == "claude":
        return 2250.0 + 1600.0 / 2
    return PAGE_TOKENS + _image_rule(model)(768, 1024, "high")
