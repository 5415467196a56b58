"""Tuned prompts survive their file and are refused where they do not fit."""

import pytest
import torch

from aligner.errors import AlignerError, CheckpointError
from aligner.generators.tuned_prompts import (
    TunedPrompt,
    load_tuned_prompt,
    save_tuned_prompt,
)


@pytest.fixture
def prompt(seeded):
    return TunedPrompt(
        {"video": torch.randn(1, 77, 8, generator=seeded), "audio": torch.randn(1, 16, generator=seeded)},
        {"video": "a dog", "audio": "ein Hund bellt, schön"},
    )


def test_a_file_holds_embeddings_and_texts(tmp_path, prompt):
    save_tuned_prompt(tmp_path / "p.safetensors", prompt)
    loaded = load_tuned_prompt(tmp_path / "p.safetensors")
    assert loaded.texts == prompt.texts and loaded.embeddings.keys() == prompt.embeddings.keys()
    assert all(torch.equal(loaded.embeddings[name], tensor) for name, tensor in prompt.embeddings.items())


def test_a_suffix_in_capitals_is_the_same(tmp_path, prompt):
    save_tuned_prompt(tmp_path / "P.SAFETENSORS", prompt)
    assert load_tuned_prompt(tmp_path / "P.SAFETENSORS").texts == prompt.texts


def test_loading_in_inference_mode_gives_ordinary_tensors(tmp_path, prompt):
    with torch.inference_mode():
        save_tuned_prompt(tmp_path / "p.safetensors", prompt)
        loaded = load_tuned_prompt(tmp_path / "p.safetensors")
    assert not any(tensor.is_inference() for tensor in loaded.embeddings.values())


def test_another_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"video": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="not a tuned prompt"):
        load_tuned_prompt(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    "embedding", [torch.full((1, 8), float("nan")), torch.full((1, 8), float("inf")), torch.ones(2, 8), torch.ones(8)]
)
def test_an_embedding_that_cannot_be_used_is_refused(tmp_path, embedding):
    from safetensors.torch import save_file

    save_file({"audio": embedding}, tmp_path / "odd.safetensors", metadata={"text:audio": "a dog"})
    with pytest.raises(CheckpointError, match="holds a tuned prompt that cannot be used: The tuned prompt for 'audio'"):
        load_tuned_prompt(tmp_path / "odd.safetensors")


def test_another_suffix_is_refused(tmp_path, prompt):
    with pytest.raises(AlignerError, match="change the suffix"):
        save_tuned_prompt(tmp_path / "p.pt", prompt)


def test_streams_that_were_not_tuned_keep_their_prompt(prompt):
    plain = {"video": torch.zeros(1, 77, 8), "audio": torch.zeros(1, 16)}
    only_video = TunedPrompt({"video": prompt.embeddings["video"]}, {"video": "a dog"})
    used = only_video.for_streams(("video", "audio"), plain)
    assert used["video"] is prompt.embeddings["video"] and used["audio"] is plain["audio"]


def test_a_prompt_of_another_stream_or_model_is_refused(prompt):
    only_audio = TunedPrompt({"audio": prompt.embeddings["audio"]}, {"audio": "a dog"})
    with pytest.raises(AlignerError, match="is for audio, but video is generated"):
        only_audio.for_streams(("video",), {"video": torch.zeros(1, 77, 8)})
    with pytest.raises(AlignerError, match="another video model"):
        prompt.for_streams(("video",), {"video": torch.zeros(1, 77, 16)})
