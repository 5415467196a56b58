"""joint, from words to files."""

import pytest
import torch

from aligner.cli.arguments import parser
from aligner.generators.tuned_prompts import load_tuned_prompt
from aligner.guidance.pairs import JOINT
from aligner.guidance.rule import RULES, Guidance
from aligner.media import probe_video, read_audio

#: As in the released code, with prompt tuning.
GRADIENT = ("--rule", "released", "--text-weight", "1", "--prompt-rate", "0.01")


@pytest.fixture
def joint(models, tmp_path):
    """The arguments of a small run, half a second long, but for the prompt and what a test adds."""
    return (
        "joint",
        "-o",
        tmp_path / "out.mp4",
        "--models",
        models,
        "--frames",
        "4",
        "--size",
        "32",
        "32",
        "--steps",
        "3",
        "--window",
        "0",
        "1",
        *GRADIENT,
    )


def targets(generation) -> list[tuple[float, tuple[str, ...] | None]]:
    """The weights of a generation's conditions, and which streams they steer."""
    return [(condition.weight, condition.streams) for condition in generation["conditions"]]


def test_video_and_sound_have_the_same_length(scores, joint, tmp_path):
    printed = scores(
        *joint,
        "waves on a beach",
        "--frames",
        "7",
        "--fps",
        "6",
        "--audio-steps",
        "5",
        "--curve",
        tmp_path / "curve.png",
    )
    info = probe_video(tmp_path / "out.mp4")
    waveform, rate = read_audio(tmp_path / "out.mp4")
    assert (info.codec, info.width, info.height, len(info.frame_times)) == ("h264", 32, 32, 7)
    assert rate == 16000 and abs(waveform.shape[1] / rate - float(info.duration)) < 1024 / rate
    assert waveform.shape == (1, info.samples(16000)) and waveform.std() > 1e-3
    assert list(printed) == ["video ~ generated audio", "video ~ text", "audio ~ text"]
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_same_seed_same_bytes(run, joint, tmp_path):
    files = []
    for seed in (4, 4, 5):
        assert run(*joint, "waves", "--seed", seed) == 0
        files.append((tmp_path / "out.mp4").read_bytes())
    assert files[0] == files[1] != files[2]


def test_guidance_raises_every_pair_above_the_unguided_run(scores, joint):
    request = (*joint, "waves", "--steps", "8", "--seed", "1")
    unguided, guided = scores(*request, "--unguided"), scores(*request)
    assert len(guided) == 3 and all(guided[pair] > unguided[pair] for pair in unguided)


def test_each_stream_may_have_a_prompt_of_its_own(run, joint, generations):
    long = "surf and gulls and wind " * 100
    assert run(*joint, "waves", "--audio-prompt", long, "--text-weight", "0.5") == 0
    assert run(*joint, "", "--audio-prompt", "surf") == 0
    assert run(*joint, "waves", "--audio-prompt", "waves") == 0
    assert run(*joint, "", "--away-from", "music") == 0
    apart, sound_only, same, none = generations
    assert targets(apart) == [(0.5, ("video",)), (0.5, ("audio",))]
    assert targets(sound_only) == [(1.0, ("audio",))]
    assert targets(same) == [(1.0, ("video", "audio"))]
    assert targets(none) == [(-1.0, None)]
    for stream, denoiser, prompt in zip(("video", "audio"), apart["denoiser"].denoisers, ("waves", long)):
        torch.testing.assert_close(apart["prompts"][stream], denoiser.model.encode_prompts([prompt]))


def test_without_text_the_streams_follow_each_other(scores, joint):
    assert list(scores(*joint, "")) == ["video ~ generated audio"]
    assert list(scores(*joint, "waves", "--text-weight", "0")) == ["video ~ generated audio"]
    assert list(scores(*joint, "waves", "--between", "0")) == ["video ~ text", "audio ~ text"]


def test_a_stream_can_be_left_unguided(run, joint, generations, tmp_path):
    for rates in (["--unguided"], ["--rate", "0", "--prompt-rate", "0"]):
        assert run(*joint, "waves", *rates) == 0
    unguided, sound_only = (seen["result"].latents for seen in generations)
    assert torch.equal(unguided["video"], sound_only["video"])
    assert not torch.allclose(unguided["audio"], sound_only["audio"])


def test_half_decoding_is_reported_where_something_looks_at_the_video(run, joint, capsys):
    assert run(*joint, "waves", "--decoding", "half") == 0
    assert "decoding half" in capsys.readouterr().out
    assert run(*joint, "", "--audio-prompt", "surf", "--between", "0", "--decoding", "half") == 0
    assert "decoding half" not in capsys.readouterr().out


def test_a_clip_can_be_made_anew_with_a_sound(run, joint, generations, clip, tmp_path):
    assert run(*joint, "waves", "--init", clip, "--denoise", "0.5", "--steps", "4") == 0
    (seen,) = generations
    video, sound = seen["denoiser"].denoisers
    assert (video.steps, sound.steps) == (2, 4) and list(seen["latents"]) == ["video"]
    assert read_audio(tmp_path / "out.mp4")[0].shape == (1, 8000)


def test_tuned_prompts_of_both_streams(run, joint, generations, tmp_path):
    file = tmp_path / "prompt.safetensors"
    assert run(*joint, "waves", "--audio-prompt", "surf", "--audio-prompt-rate", "0.05", "--save-prompt", file) == 0
    assert load_tuned_prompt(file).texts == {"video": "waves", "audio": "surf"}
    assert run(*joint, "", "--tuned-prompt", file, "--unguided") == 0
    first, second = generations
    for stream in ("video", "audio"):
        torch.testing.assert_close(second["prompts"][stream], first["result"].prompts[stream])
    assert run(*joint, "waves", "--save-prompt", file) == 0
    assert list(load_tuned_prompt(file).texts) == ["video"], "only what was tuned is saved"


@pytest.mark.parametrize("rule", RULES)
def test_defaults_are_the_rules_own(run, generations, models, tmp_path, rule):
    options = parser().parse_args(["joint", "waves", "-o", "out.mp4"])
    assert options.steps == JOINT.steps and options.audio_steps is None
    assert (
        run(
            "joint",
            "waves",
            "-o",
            tmp_path / "out.mp4",
            "--models",
            models,
            "--frames",
            "2",
            "--size",
            "32",
            "32",
            "--steps",
            "3",
            "--rule",
            rule,
            *(["--candidates", "2"] if rule == "search" else []),
        )
        == 0
    )
    (seen,) = generations
    candidates = {"candidates": {"video": 2, "audio": 16}} if rule == "search" else {}
    assert seen["guidance"] == Guidance(rule, checkpointing=True, **candidates)
    assert targets(seen) == [(0.0 if rule == "search" else 1.0, ("video", "audio"))]


def test_every_option_reaches_the_generation(run, joint, generations):
    assert (
        run(
            *joint,
            "waves",
            "--negative-prompt",
            "blur",
            "--audio-negative-prompt",
            "hiss",
            "--seed",
            "7",
            "--steps",
            "4",
            "--audio-steps",
            "6",
            "--cfg",
            "3",
            "--audio-cfg",
            "4",
            "--rule",
            "paper",
            "--rate",
            "5",
            "--audio-rate",
            "6",
            "--prompt-rate",
            "0.02",
            "--audio-prompt-rate",
            "0.03",
            "--between",
            "0.5",
            "--decoding",
            "half",
            "--unguided",
        )
        == 0
    )
    (seen,) = generations
    assert seen["guidance"] == Guidance(
        rule="paper",
        rates={"video": 5.0, "audio": 6.0},
        start=0.0,
        checkpointing=True,
        prompt_rates={"video": 0.02, "audio": 0.03},
    )
    assert (seen["seed"], seen["steer"], seen["between"]) == (7, False, 0.5)
    video, sound = seen["denoiser"].denoisers
    assert (video.steps, video.cfg, video.decoding, sound.steps, sound.cfg) == (4, 3.0, "half", 6, 4.0)
    torch.testing.assert_close(video.negative, video.model.encode_prompts(["blur"]))
    torch.testing.assert_close(sound.negative, sound.model.encode_prompts(["hiss"]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["", "--between", "0"], "every condition has weight 0"),
        (["waves", "--between", "0", "--text-weight", "0"], "every condition has weight 0"),
        (["waves", "--between", "nan"], "finite"),
        (["waves", "--audio-steps", "0"], "0 denoising steps"),
        (["waves", "--audio-cfg", "-2"], "cfg"),
        (["waves", "--audio-rate", "-2"], "audio latent"),
        (["waves", "--rule", "released", "--rate", "0", "--audio-rate", "0"], "learning rates of"),
        (["waves", "--candidates", "1", "--audio-candidates", "1"], "Try several candidates"),
        (["waves", "--audio-candidates", "-1"], "candidates for audio"),
        (["waves", "--frames", "100000", "--fps", "1"], "seconds of sound are too many"),
        (["waves", "--denoise", "0.5"], "name one with --init"),
        (["waves", "--size", "30", "32"], "multiple of 8"),
        (["waves", "--models", "nowhere"], "there is no nowhere"),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, arguments, message):
    assert message in refused("joint", "-o", "out.mp4", *arguments)
