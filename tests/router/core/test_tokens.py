"""Text has the ids that `tokenizers` gives it, whoever looks them up."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from router import BundleError
from router.core.tokens import Tokens, open_tokens
from router.core.unigram import Unigram

LETTERS = "abé語1-=X"  # X begins no piece
PIECES = ["▁", "ab", "▁ab", "abé", "éa", "語語", "bb", "1-", "--", "==", "===", "▁=", "語ab語"]
ACROSS = ["b▁a", "a1", "<s>"]  # from one word into the next, from letters to signs


def unigram(extra: list[str], seed: int) -> Tokenizer:
    """A tokenizer whose log probabilities are few, so that many ways of cutting are equal."""
    draw = Random(seed)  # noqa: S311
    pieces = [*LETTERS.rstrip("X"), *PIECES, *extra]
    scored = [("<unk>", 0.0), *((piece, -draw.choice([3.1, 4.7, 6.3])) for piece in pieces)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def opened(tokenizer: Tokenizer, path: Path) -> Tokens:
    tokenizer.save(str(path))
    return open_tokens(path)


@pytest.mark.parametrize("extra", [[], ACROSS], ids=["apart", "across"])
@pytest.mark.parametrize("seed", range(5))
def test_ids_are_those_of_tokenizers(extra: list[str], seed: int, tmp_path: Path) -> None:
    theirs = unigram(extra, seed)
    ours = opened(theirs, tmp_path / "tokenizer.json")
    draw = Random(seed)  # noqa: S311
    for _ in range(400):
        signs = [*LETTERS, " ", "▁", "<s>"]
        runs = (draw.choice(signs) * draw.choice([1, 1, 2, 9]) for _ in range(30))
        text = "".join(runs)[: draw.randrange(60)]
        assert ours.ids(text) == theirs.encode(text, add_special_tokens=False).ids
    assert (ours.before, ours.after) == ([1], [2])


def test_half_a_surrogate_pair_is_cut(tmp_path: Path) -> None:
    assert opened(unigram([], 0), tmp_path / "tokenizer.json").ids("a\ud83d") != []


def test_of_a_text_only_pieces_are_kept() -> None:
    cut = Unigram([("<unk>", 0.0), ("▁", -2.0), ("▁ab", -1.0), *((c, -3.0) for c in "abc")], 0)
    assert cut.cut("▁ab▁abacab") == [2, 2, 3, 5, 3, 4]
    assert list(cut._known) == ["▁ab"]


def test_what_unigram_does_not_do_is_left_to_tokenizers(tmp_path: Path) -> None:
    theirs = unigram([], 1)
    theirs.add_special_tokens(["<mask>"])
    theirs.decoder = decoders.Metaspace()
    text = "ab <mask> ab"
    ours = opened(theirs, tmp_path / "tokenizer.json")
    assert ours.ids(text) == theirs.encode(text, add_special_tokens=False).ids


def test_a_damaged_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    spec = json.loads(unigram([], 0).to_str())
    for vocab in ([], [["a"]], [["a", None]], None):
        spec["model"]["vocab"] = vocab
        path.write_text(json.dumps(spec))
        with pytest.raises(BundleError, match="tokenizer"):
            open_tokens(path)
