"""PE-AV: parity with transformers' own model and processor, gradients, and steering."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from aligner.binders.pe_av import load_pe_av
from aligner.conditions.encoding import audio_condition, text_condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from aligner.timing.clips import ClipSampling, Cut, frame_indices
from laboratory.random_pe_av import SIDE, write_random_pe_av

RATE = 48_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "pe-av-tiny"
    write_random_pe_av(folder, seed=3)
    return folder


@pytest.fixture(scope="module")
def pe_av(folder):
    return load_pe_av(folder)


@pytest.fixture(scope="module")
def exact(folder):
    return load_pe_av(folder, dtype=torch.float64)


@pytest.fixture(scope="module")
def reference(folder):
    """transformers' own model with the same weights."""
    from safetensors.torch import load_file
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    model = PeAudioVideoModel(PeAudioVideoConfig.from_pretrained(folder)).eval()
    weights = load_file(folder / "model.safetensors")
    assert not model.load_state_dict(weights, strict=False).unexpected_keys
    # Encoders that the file holds once are in the model several times.
    for inside, own in (
        (model.audio_model.text_model, model.text_model),
        (model.video_model.text_model, model.text_model),
        (model.audio_video_encoder.embedder.audio_encoder, model.audio_model.audio_encoder),
        (model.audio_video_encoder.embedder.video_encoder, model.video_model.video_encoder),
    ):
        inside.load_state_dict(own.state_dict())
    return model


@pytest.fixture
def waveform(normal):
    return 0.1 * normal(1, 30_001)


@pytest.fixture
def frames():
    """(7, 3, 45, 60) in 0..1."""
    return torch.rand(7, 3, 45, 60, generator=torch.Generator().manual_seed(3))


def heard_by_the_processor(waveform: torch.Tensor) -> torch.Tensor:
    from transformers import PeAudioFeatureExtractor

    return PeAudioFeatureExtractor()(waveform[0].numpy(), sampling_rate=RATE, return_tensors="pt")["input_values"]


def seen_by_the_processor(frames: torch.Tensor) -> torch.Tensor:
    from transformers.models.pe_video.video_processing_pe_video import PeVideoVideoProcessor

    processor = PeVideoVideoProcessor(
        size={"height": SIDE, "width": SIDE},
        do_resize=True,
        do_rescale=True,
        do_normalize=True,
        do_sample_frames=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return processor(videos=[frames * 255], return_tensors="pt")["pixel_values_videos"]


def whole(seconds: float, frames: int = 1) -> ClipSampling:
    """One clip of a whole recording."""
    return ClipSampling(Cut(seconds, 1), Cut(seconds, 1), frames, "squash")


def test_sounds_are_heard_as_by_transformers(pe_av, reference, waveform, relative_error):
    with torch.no_grad():
        expected = F.normalize(reference.get_audio_embeds(heard_by_the_processor(waveform)), dim=-1)
    embedding = pe_av.embed_audio(waveform, RATE, whole(waveform.shape[1] / RATE))
    assert embedding.modality == "audio" and embedding.clips.shape == (1, 1, 32)
    assert relative_error(embedding.clips[:, 0], expected) < 1e-5


@pytest.mark.parametrize("samples", [1, 2, 1919, 1920, 1921, 700])
def test_sounds_of_any_length_are_filled_up_as_by_transformers(normal, samples):
    from aligner.binders.pe_av.preprocessing import sound_input

    waveform = normal(1, samples)
    torch.testing.assert_close(sound_input(waveform), heard_by_the_processor(waveform))


def test_videos_are_seen_as_by_transformers(pe_av, reference, frames, relative_error):
    with torch.no_grad():
        states = reference.video_model.video_encoder(seen_by_the_processor(frames)).pooler_output
        expected = F.normalize(reference.video_model.video_head(states), dim=-1)
    embedding = pe_av.embed_frames(frames, torch.arange(7)[None], [(0, 1)], whole(1.0, 7))
    assert embedding.modality == "video" and embedding.spans == ((0.0, 1.0),)
    assert relative_error(embedding.clips[:, 0], expected) < 1e-5


@pytest.mark.parametrize("size", [(64, 48), (20, 30), (32, 32), (1, 90)])
def test_frames_of_any_size_are_shrunk_as_by_transformers(size):
    from aligner.binders.pe_av.preprocessing import frames_input

    frames = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(frames_input(frames, SIDE)[None], seen_by_the_processor(frames), rtol=0, atol=1e-5)


def test_a_picture_is_a_video_of_one_frame(pe_av, frames):
    pictures = pe_av.embed_image(frames[:2])
    videos = [pe_av.embed_frames(frame[None], torch.tensor([[0]]), [(0, 1)], whole(1.0)) for frame in frames[:2]]
    assert pictures.modality == "image" and pictures.clips.shape == (2, 1, 32)
    torch.testing.assert_close(pictures.clips, torch.cat([video.clips for video in videos]))


def test_a_text_has_a_head_for_each_modality(pe_av, reference, relative_error):
    texts = ["a dog barks", "no music"]
    tokens = pe_av.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = reference.text_model(**tokens, output_hidden_states=True).hidden_states[-1][:, 0]
        heads = {
            "audio": reference.audio_model.text_audio_head,
            "video": reference.video_model.text_video_head,
            "image": reference.video_model.text_video_head,
        }
        expected = {name: F.normalize(head(states), dim=-1) for name, head in heads.items()}
        joint = F.normalize(reference.get_text_audio_video_embeds(**tokens), dim=-1)
    embedding = pe_av.embed_text(texts)
    assert relative_error(embedding.clips[:, 0], joint) < 1e-5
    for modality, points in expected.items():
        assert relative_error(embedding.towards(modality).clips[:, 0], points) < 1e-5
    assert not torch.allclose(embedding.heads["audio"], embedding.heads["video"], atol=0.1)


def test_a_text_alone_and_beside_a_longer_one_is_the_same(pe_av):
    alone = pe_av.embed_text(["rain"]).heads["audio"]
    beside = pe_av.embed_text(["rain", "rain falls on a tin roof"]).heads["audio"]
    torch.testing.assert_close(alone[0], beside[0], rtol=0, atol=1e-5)


def test_a_video_and_its_sound_together_are_as_in_transformers(pe_av, reference, frames, waveform, relative_error):
    with torch.no_grad():
        outputs = reference.get_audio_video_embeds(heard_by_the_processor(waveform), seen_by_the_processor(frames))
        expected = F.normalize(outputs.audio_video_embeds, dim=-1)
    assert relative_error(pe_av.embed_joint(frames, waveform, RATE), expected) < 1e-5


def slope(embedded, x: torch.Tensor, seed: int, step: float = 1e-4) -> tuple[float, float]:
    """The slope of the embedding along one direction, by its gradient and by a finite difference.

    The norms of transformers compute in float32, which smaller steps would not rise above.
    """
    draw = torch.Generator().manual_seed(seed)
    direction = torch.randn(x.shape, generator=draw, dtype=x.dtype)
    axis = torch.randn(32, generator=draw, dtype=x.dtype)
    (gradient,) = torch.autograd.grad((embedded(x) * axis).sum(), x)
    with torch.no_grad():
        difference = ((embedded(x + step * direction) - embedded(x - step * direction)) * axis).sum() / (2 * step)
    return float((gradient * direction).sum()), float(difference)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_reach_samples_and_agree_with_finite_differences(exact, normal, seed):
    waveform = (0.1 * normal(1, 4000)).double().requires_grad_(True)

    def embedded(sound):
        return exact.embed_audio(sound, RATE, whole(4000 / RATE)).clips

    analytic, numeric = slope(embedded, waveform, seed)
    assert analytic == pytest.approx(numeric, rel=0.01)
    (gradient,) = torch.autograd.grad(embedded(waveform)[..., 0].sum(), waveform)
    assert (gradient != 0).float().mean() > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_gradients_reach_pixels_and_agree_with_finite_differences(exact, frames, seed):
    pixels = frames[:2, :, :36, :36].double().requires_grad_(True)

    def embedded(shown):
        return exact.embed_frames(shown, torch.tensor([[0, 1]]), [(0, 1)], whole(1.0, 2)).clips

    analytic, numeric = slope(embedded, pixels, seed)
    assert analytic == pytest.approx(numeric, rel=0.01)


def test_a_frame_of_several_clips_is_looked_at_once(pe_av, frames):
    seen, look = [], pe_av.video.seen
    pe_av.video.seen = lambda part: seen.append(len(part)) or look(part)
    clips = torch.tensor([[0, 0, 1, 2], [2, 3, 4, 4]])
    try:
        embedding = pe_av.embed_frames(frames, clips, [(0, 1), (1, 2)], whole(1.0, 4))
    finally:
        del pe_av.video.seen
    assert sum(seen) == 5
    alone = pe_av.embed_frames(frames, clips[1:], [(1, 2)], whole(1.0, 4))
    torch.testing.assert_close(embedding.clips[:, 1:], alone.clips, rtol=0, atol=1e-5)


def test_long_recordings_in_parts_are_the_same(pe_av, normal):
    sampling = pe_av.samplings["short"]
    sound = (0.1 * normal(1, 2 * RATE)).requires_grad_(True)
    together, parts = (pe_av.embed_audio(sound, RATE, sampling, at_once=at_once).clips for at_once in (None, 2))
    torch.testing.assert_close(parts, together, rtol=0, atol=1e-5)
    gradients = [torch.autograd.grad(clips[..., 0].sum(), sound)[0] for clips in (together, parts)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-5)
    film = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    spans = sampling.video.spans(20 / 8)
    shown = frame_indices(torch.arange(20) / 8, spans, sampling.frames_per_clip)
    whole_film = pe_av.embed_frames(film, shown, spans, sampling)
    assert whole_film.clips.shape == (1, 5, 32)
    gradient = torch.autograd.grad(whole_film.clips[..., 0].sum(), film)[0]
    assert gradient[shown.unique()].abs().flatten(1).amax(dim=1).min() > 0


def test_a_model_of_16_frames_is_shown_16(tmp_path):
    write_random_pe_av(tmp_path / "pe-av-tiny-16-frame", seed=3, frames=16)
    binder = load_pe_av(tmp_path / "pe-av-tiny-16-frame")
    assert {sampling.frames_per_clip for sampling in binder.samplings.values()} == {16}


def test_what_inference_mode_embeds_can_be_a_target(pe_av, waveform, frames):
    with torch.inference_mode():
        embeddings = [
            pe_av.embed_text(["rain"]),
            pe_av.embed_image(frames),
            pe_av.embed_audio(waveform, RATE, pe_av.samplings["short"]),
        ]
    assert not any(embedding.clips.is_inference() for embedding in embeddings)


# oneDNN computes some strided convolutions wrong in bfloat16 on processors with AMX (pytorch/pytorch#169688).
@torch.backends.mkldnn.flags(enabled=False)
def test_half_precision_changes_little(folder, pe_av, waveform, frames):
    half = load_pe_av(folder, dtype=torch.bfloat16)
    assert half.fingerprint == pe_av.fingerprint
    sampling = pe_av.samplings["short"]
    for embed in (
        lambda binder: binder.embed_audio(waveform, RATE, sampling).clips,
        lambda binder: binder.embed_image(frames).clips,
        lambda binder: binder.embed_text(["rain"]).heads["audio"],
    ):
        exact, rounded = embed(pe_av), embed(half)
        assert rounded.dtype == torch.float32
        assert F.cosine_similarity(exact, rounded, dim=-1).min() > 0.98


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda binder: binder.embed_text("rain"), "list of at least one string"),
        (lambda binder: binder.embed_image(torch.full((1, 3, 8, 8), 200.0)), "must lie in 0..1"),
        (lambda binder: binder.embed_image(torch.zeros(1, 4, 8, 8)), "must be RGB"),
        (
            lambda binder: binder.embed_audio(torch.full((1, 9), torch.nan), RATE, binder.samplings["short"]),
            "NaN or infinite",
        ),
        (lambda binder: binder.embed_joint(torch.zeros(1, 3, 8, 8), torch.zeros(0, 9), RATE), "not empty"),
    ],
)
def test_what_cannot_be_embedded_is_named(pe_av, call, message):
    with pytest.raises(AlignerError, match=message):
        call(pe_av)


@pytest.mark.parametrize(
    "rule", [Search(candidates={"audio": 6}, at=0.8), Released(rates={"audio": 0.3})], ids=("search", "released")
)
def test_a_condition_steers_a_generator(audioldm, pe_av, waveform, rule):
    conditions = [text_condition(pe_av, "a dog barks"), audio_condition(pe_av, waveform, RATE)]
    denoiser = audioldm.denoiser(seconds=0.6, steps=5)
    prompts = denoiser.prompts(["a dog"])
    steered, free = (
        generate(denoiser, prompts, seed=2, rule=each, binder=pe_av, conditions=conditions)
        for each in (rule, Unguided(comparison=rule.comparison))
    )
    assert steered.score > free.score
