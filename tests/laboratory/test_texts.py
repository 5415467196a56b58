"""The texts of training, and their tokenizers."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from aligner.demo.events import EVENTS
from laboratory.training.texts import MEANT, TEXTS, drawn_texts, event_texts
from laboratory.training.tokenizers import (
    CLIP_LENGTH,
    write_clap_tokenizer,
    write_clip_tokenizer,
)
from laboratory.world import VAGUE_CAPTIONS

CAPTIONS = [caption for event in EVENTS for caption in event.captions]
UNSEEN = "quixotic zeppelins hum over 42 ångström – 雨!"


def words(text: str) -> set[str]:
    return set(text.replace(",", "").split())


@pytest.mark.parametrize("number", range(8))
def test_the_texts_of_an_event_describe_it_alone(number):
    own, others = EVENTS[number], [event for event in EVENTS if event is not EVENTS[number]]
    foreign = set().union(*(words(caption) for event in others for caption in event.captions))
    texts = [text for text, meant in zip(TEXTS, MEANT.tolist()) if meant == number]
    assert texts == event_texts(number)
    assert set(own.captions) < set(texts)
    assert all(words(text) - foreign for text in texts)


def test_the_other_texts_name_no_event():
    assert [text for text, meant in zip(TEXTS, MEANT.tolist()) if meant == len(EVENTS)] == [*VAGUE_CAPTIONS, ""]
    assert len(set(TEXTS)) == len(TEXTS) == len(MEANT)


def test_right_vague_and_empty_texts_have_their_shares(seeded):
    events = torch.arange(8).repeat(500)
    rows = drawn_texts(events, seeded)
    right, meant = MEANT[rows] == events, MEANT[rows]
    assert ((meant == len(EVENTS)) | right).all()
    assert right.float().mean() == pytest.approx(0.7, abs=0.03)
    wordless = rows == TEXTS.index("")
    assert wordless.float().mean() == pytest.approx(0.1, abs=0.02)
    said = Counter(TEXTS[row] for row in rows.tolist())
    assert said.keys() == set(TEXTS)
    assert sum(said[caption] for caption in CAPTIONS) / right.sum().item() == pytest.approx(0.8, abs=0.03)
    assert min(said[caption] for caption in CAPTIONS) > 0.6 * max(said[caption] for caption in CAPTIONS)
    vague = [said[caption] for caption in VAGUE_CAPTIONS]
    assert min(vague) > 0.7 * max(vague)


def test_the_same_generator_gives_the_same_texts():
    events = torch.arange(8)
    first, again, other = (drawn_texts(events, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    from transformers import RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("clap")
    return write_clap_tokenizer(folder, longest=20), RobertaTokenizerFast.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    from transformers import CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip")
    return write_clip_tokenizer(folder), CLIPTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.fixture(params=["clap", "clip"])
def written(request):
    """The number of words that was returned, and the tokenizer."""
    return request.getfixturevalue(request.param)


def test_the_returned_size_is_that_of_the_vocabulary(written):
    count, tokenizer = written
    assert len(tokenizer) == count == len(tokenizer.get_vocab())


@pytest.mark.parametrize("text", [*CAPTIONS, *VAGUE_CAPTIONS, UNSEEN])
def test_texts_survive_encoding_and_decoding(written, text):
    """Unseen words too, because they are encoded as bytes."""
    _, tokenizer = written
    read = tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert read.replace(" ", "") == text.replace(" ", "")


def test_every_word_of_the_captions_is_one_token(written):
    _, tokenizer = written
    for caption in CAPTIONS:
        pieces = len(caption.replace(",", " ,").split())
        assert len(tokenizer(caption).input_ids) == 2 + pieces, caption


def test_claps_texts_have_the_special_tokens_of_roberta(clap):
    _, tokenizer = clap
    ids = tokenizer(["a ball", "a ball hits the floor " * 9], padding=True, truncation=True).input_ids
    assert all(row[0] == 0 for row in ids) and ids[0][3:] == [2] + [1] * 16 and ids[1][-1] == 2
    assert len(ids[1]) == tokenizer.model_max_length == 20


def test_clips_texts_end_with_the_highest_token(clip):
    """CLIP's text encoder finds the end of a text by it."""
    count, tokenizer = clip
    ids = tokenizer(["A Ball", "a ball"], padding="max_length", max_length=CLIP_LENGTH).input_ids
    assert ids[0] == ids[1] and ids[0][0] == count - 2
    assert ids[0][3:] == [count - 1] * 74
    assert tokenizer.model_max_length == CLIP_LENGTH == 77


def test_the_files_are_the_same_every_time(tmp_path):
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        write_clap_tokenizer(folder / "clap", 128)
        write_clip_tokenizer(folder / "clip")
    written = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")} for folder in folders]
    assert len(written[0]) == 6 and all(files == written[0] for files in written)
