"""Video and sound generated together in a real ComfyUI."""

from __future__ import annotations

import pytest

from aligner.media import probe_video, read_audio

from .client import Prompt, PromptFailed
from .interrupting import interrupted_and_run_again
from .prompts import (
    STEERED,
    condition,
    cosines,
    gradient,
    joint,
    joint_sampler,
    node,
    sampler,
    shown,
    without,
)
from .server import Server
from .test_video import STRONG, clip, saved

RUNS = 10
TRIANGLE = ["video ~ generated audio", "video ~ text", "audio ~ text"]


def scores(server: Server, prompt: dict) -> dict[str, float]:
    return cosines(server.client.run(prompt)["shown"]["text"][0])


def test_every_side_of_the_triangle_rises_above_the_unguided_run(comfyui: Server, random_models: Prompt) -> None:
    guided, unguided = (
        scores(comfyui, joint(guided=steer, steps=10, audio_steps=10, **STEERED) | random_models | STRONG)
        for steer in (True, False)
    )
    assert list(guided) == TRIANGLE
    for pair in guided:
        assert guided[pair] > unguided[pair] + 0.01, pair


def test_a_prompt_for_each_stream_and_more_conditions(comfyui: Server) -> None:
    """Each text steers its own stream. One is cut, for being too long, and the schedules have different lengths."""
    long = "a wooden ball, seen from very near, " * 20
    wires = {"conditions": ["more", 0], **STEERED}
    prompt = joint(prompt=long, audio_prompt="knocks", steps=4, audio_steps=7, **wires) | gradient()
    prompt["more"] = condition(text="wind", weight=-0.5, streams="audio")
    assert list(scores(comfyui, prompt)) == [
        "video ~ generated audio",
        "video ~ text 2",
        "audio ~ text",
        "audio ~ text 3",
    ]


def test_weights_of_zero_leave_pairs_out(comfyui: Server) -> None:
    assert list(scores(comfyui, joint(**STEERED) | gradient(text_weight=0.0))) == TRIANGLE[:1]
    assert list(scores(comfyui, joint(**STEERED, pair_weight=0.0) | gradient())) == TRIANGLE[1:]


def test_the_sound_is_as_long_as_the_video(comfyui: Server) -> None:
    prompt = (
        joint(init_frames=["scaled", 0], fps=["parts", 2], denoise=0.6)
        | clip(7, 48, 32)
        | {
            "video 2": node("CreateVideo", images=["sampler", 0], audio=["sampler", 1], fps=["sampler", 3]),
            "save": node("SaveVideo", video=["video 2", 0], filename_prefix="joint", format="auto", codec="auto"),
        }
    )
    (file,) = saved(comfyui, comfyui.client.run(prompt))
    info, (waveform, rate) = probe_video(file), read_audio(file)
    assert (info.width, info.height, info.duration) == (48, 32, pytest.approx(7 / 8, abs=1e-3))
    assert abs(waveform.shape[1] / rate - 7 / 8) <= 1024 / rate


def test_interrupt_ends_the_run_within_a_step_and_the_next_run_works(comfyui: Server) -> None:
    interrupted_and_run_again(comfyui.client, lambda **inputs: joint(**inputs, **STEERED) | gradient())


def test_many_runs_do_not_grow_memory(comfyui: Server) -> None:
    def run(seed: int) -> None:
        comfyui.client.run(joint(seed=seed, frames=2, steps=3, audio_steps=3, **STEERED) | gradient())

    for seed in range(2):
        run(100 + seed)
    before = comfyui.resident_bytes()
    for seed in range(RUNS // 2 if comfyui.is_oldest else RUNS):
        run(200 + seed)
    assert comfyui.resident_bytes() < before * 1.05


def test_the_sound_can_be_refined_alone(comfyui: Server) -> None:
    refine = sampler(latent=["sampler", 8], prompt="wind", seconds=9.0, denoise=0.5)
    refine = without(refine, "binder", "conditions")
    outputs = comfyui.client.run(
        joint(guided=False) | {"refine": refine, "play": node("PreviewAudio", audio=["refine", 0])}
    )
    (sound,) = outputs["play"]["audio"]
    waveform, rate = read_audio(comfyui.folder / sound["type"] / sound["subfolder"] / sound["filename"])
    assert waveform.shape[1] == rate / 2  # 4 frames at 8 fps


def test_without_a_binder_each_stream_follows_its_prompt_alone(comfyui: Server) -> None:
    plain = without(joint_sampler(guided=False, frames=2), "binder")
    prompt = {**joint(), "sampler": plain, **shown("sampler", 5)}
    assert comfyui.client.run(prompt)["shown"]["text"] == ["nan"]
    plain["inputs"]["guided"] = True
    with pytest.raises(PromptFailed, match="need a binder"):
        comfyui.client.run(prompt)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sampler": joint_sampler(pair_weight=0.0)}, "nothing to follow"),
        (
            {
                "sampler": joint_sampler(**STEERED),
                **gradient(audio_rate=0.0, video_rate=0.0, video_prompt_rate=0.0),
            },
            "moves nothing",
        ),
        ({"sampler": joint_sampler(height=36)}, "The height must be a multiple of 8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_an_error_that_names_it(comfyui: Server, changes: dict, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(joint() | changes)
