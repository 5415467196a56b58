"""ImageBind behind the protocol of binders."""

import pytest
import torch

from aligner.binders.base import part_for, sampling_of
from aligner.binders.imagebind import embed_audio, embed_frames, embed_image, embed_text
from aligner.errors import AlignerError
from aligner.timing.clips import frame_indices


def test_methods_are_the_functions_of_the_same_name(model, normal):
    sampling = sampling_of(model, "short")
    sound, pixels = 0.1 * normal(1, 16000), torch.rand(8, 3, 20, 20)
    spans = sampling.video.spans(1.0)
    indices = frame_indices(torch.arange(8) / 8, spans, sampling.frames_per_clip)
    for method, function in (
        (model.embed_text(["rain"]), embed_text(model, ["rain"])),
        (model.embed_image(pixels), embed_image(model, pixels)),
        (model.embed_audio(sound, 16000, sampling), embed_audio(model, sound, 16000, sampling)),
        (
            model.embed_frames(pixels, indices, spans, sampling),
            embed_frames(model, pixels, indices, spans, sampling),
        ),
    ):
        assert torch.equal(method.clips, function.clips)
        assert (method.spans, method.modality, method.binder, method.heads) == (
            function.spans,
            function.modality,
            model.fingerprint,
            {},
        )


def test_every_modality_has_the_tower_that_embeds_it(model):
    towers = {modality: part_for(model, modality) for modality in ("text", "image", "video", "audio")}
    assert towers == {"text": model.text, "image": model.vision, "video": model.vision, "audio": model.audio}
    assert set(model.parts.values()) == {name for name, _ in model.named_children()}


def test_every_transformer_block_can_be_recomputed(model):
    assert len(model.blocks()) == 2 + 3 + 3 == len(set(model.blocks()))


def test_clips_have_names_that_the_binder_knows(model):
    assert set(model.samplings) == {"short", "seconds", "spread"}
    with pytest.raises(AlignerError, match="ImageBind does not know the clips 'all'. Choose one of: "):
        sampling_of(model, "all")


def test_memory_grows_with_clips_and_crops_and_shrinks_by_checkpointing(model):
    def size(modality, clips, name, checkpointing=False):
        return model.activation_bytes(modality, clips, sampling_of(model, name), checkpointing=checkpointing)

    assert size("video", 4, "seconds") == 4 * size("video", 1, "seconds")
    assert size("video", 1, "spread") == 3 * size("video", 1, "seconds"), "three crops"
    assert size("audio", 1, "spread") == size("audio", 1, "seconds")
    assert 0 < size("audio", 1, "short", True) < size("audio", 1, "short")
