"""CLIP's tokenizer from open_clip's vocabulary."""

from __future__ import annotations

import pytest

from aligner.generators.stable_diffusion import write_tokenizer
from aligner.generators.stable_diffusion.tokenizer import clip_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return clip_tokenizer()


def test_ids_are_those_of_clip(tokenizer):
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("").input_ids == [49406, 49407]
    assert tokenizer("A  Photo\nof a CAT").input_ids == tokenizer("a photo of a cat").input_ids
    assert len(tokenizer) == 49408 and tokenizer.model_max_length == 77


def test_prompts_are_padded_with_the_end_and_cut_at_77(tokenizer):
    ids = tokenizer(["rain", "rain " * 100], padding="max_length", truncation=True).input_ids
    assert ids[0] == [49406, 2443] + [49407] * 75
    assert ids[1] == [49406] + [2443] * 75 + [49407]


@pytest.mark.parametrize(
    "text", ["the quick brown fox's tail, 1234!", "naïve café über 東京 🎉", "a.b-c_d (e:1.2) [f]"]
)
def test_other_texts_equal_open_clip(tokenizer, text):
    from open_clip.tokenizer import SimpleTokenizer

    assert tokenizer(text).input_ids[1:-1] == SimpleTokenizer().encode(text)


def test_files_are_written_with_line_feeds_and_nothing_else_is_left(tmp_path):
    write_tokenizer(tmp_path / "new" / "tokenizer")
    files = {path.name: path.read_bytes() for path in (tmp_path / "new" / "tokenizer").iterdir()}
    assert files.keys() == {"vocab.json", "merges.txt", "tokenizer_config.json"}
    assert not any(b"\r" in content for content in files.values())
    assert files["merges.txt"].startswith(b"#version: 0.2\ni n\nt h\n") and files["merges.txt"].count(b"\n") == 48895
