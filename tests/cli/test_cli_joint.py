"""joint, from words to files."""

import pytest
import torch

from aligner.generators.tuned_prompts import load_tuned_prompt
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from aligner.media import probe_video, read_audio

#: Four small frames in few steps.
SMALL = ("--frames", "4", "--width", "32", "--height", "32", "--steps", "3", "--audio-steps", "3")
#: The rule of the released code, at all steps.
GRADIENT = ("--rule", "code", "--start", "0")
#: A search among few.
FEW = ("--audio-candidates", "2", "--video-candidates", "2")


@pytest.fixture
def joint(models, tmp_path):
    """The arguments of a small run, half a second long, but for the prompt and what a test adds."""
    return ("joint", "-o", tmp_path / "out.mp4", "--models", models, *SMALL, *GRADIENT)


def prompts(generation) -> list[tuple[str, ...]]:
    """Which streams each prompt of a generation steers."""
    return [condition.streams for condition in generation["conditions"] if condition.prompt]


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
        "--overview",
        tmp_path / "overview.png",
    )
    info = probe_video(tmp_path / "out.mp4")
    waveform, rate = read_audio(tmp_path / "out.mp4")
    assert (info.codec, info.width, info.height, len(info.frame_times)) == ("h264", 32, 32, 7)
    assert rate == 16000 and abs(waveform.shape[1] / rate - float(info.duration)) < 1024 / rate
    assert waveform.shape == (1, info.samples(16000)) and waveform.std() > 1e-3
    assert list(printed) == ["video ~ generated audio", "video ~ text", "audio ~ text"]
    assert (tmp_path / "overview.png").stat().st_size > 1000


def test_same_seed_same_bytes(run, joint, tmp_path):
    files = []
    for seed in (4, 4, 5):
        assert run(*joint, "waves", "--seed", seed) == 0
        files.append((tmp_path / "out.mp4").read_bytes())
    assert files[0] == files[1] != files[2]


def test_guidance_raises_every_pair_above_the_unguided_run(scores, joint):
    request = (*joint, "waves", "--steps", "8", "--audio-steps", "8", "--seed", "1")
    unguided, guided = scores(*request, "--unguided"), scores(*request)
    assert len(guided) == 3 and all(guided[pair] > unguided[pair] for pair in unguided)


def test_each_stream_may_have_a_prompt_of_its_own(run, joint, generations):
    long = "surf and gulls and wind " * 100
    assert run(*joint, "waves", "--audio-prompt", long) == 0
    assert run(*joint, "", "--audio-prompt", "surf") == 0
    assert run(*joint, "waves", "--audio-prompt", "waves") == 0
    assert run(*joint, "waves") == 0
    assert run(*joint, "", "--away-from", "music") == 0
    apart, sound_only, same, one, none = generations
    assert prompts(apart) == [("video",), ("audio",)]
    assert prompts(sound_only) == [("audio",)]
    assert prompts(same) == prompts(one) == [("video", "audio")]
    assert [(each.weight, each.streams, each.prompt) for each in none["conditions"]] == [(-1.0, None, False)]
    for stream, denoiser, prompt in zip(("video", "audio"), apart["denoiser"].denoisers, ("waves", long)):
        torch.testing.assert_close(apart["prompts"][stream], denoiser.model.encode_prompts([prompt]))


def test_without_text_the_streams_follow_each_other(scores, joint):
    assert list(scores(*joint, "")) == ["video ~ generated audio"]
    assert list(scores(*joint, "waves", "--text-weight", "0")) == ["video ~ generated audio"]
    assert list(scores(*joint[: -len(GRADIENT)], "waves", *FEW)) == ["video ~ generated audio"], "as by default"
    assert list(scores(*joint, "waves", "--pair-weight", "0")) == ["video ~ text", "audio ~ text"]


def test_a_stream_can_be_left_unguided(run, joint, generations, tmp_path):
    for rates in (["--unguided"], ["--video-rate", "0", "--video-prompt-rate", "0"]):
        assert run(*joint, "waves", *rates) == 0
    unguided, sound_only = (seen["result"].latents for seen in generations)
    assert torch.equal(unguided["video"], sound_only["video"])
    assert not torch.allclose(unguided["audio"], sound_only["audio"])


def test_half_decoding_is_reported_where_something_looks_at_the_video(run, joint, capsys):
    assert run(*joint, "waves", "--decoding", "half") == 0
    assert "decoding half" in capsys.readouterr().out
    assert run(*joint, "", "--audio-prompt", "surf", "--pair-weight", "0", "--decoding", "half") == 0
    assert "decoding half" not in capsys.readouterr().out


def test_a_clip_can_be_made_anew_with_a_sound(run, joint, generations, clip, tmp_path):
    assert run(*joint, "waves", "--init", clip, "--denoise", "0.5", "--steps", "4", "--audio-steps", "4") == 0
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


def test_gradients_may_move_what_the_search_chose(run, generations, joint, tmp_path):
    search = (*joint[: -len(GRADIENT)], "waves", *FEW, "--at", "0.5", "--overview", tmp_path / "overview.png")
    assert run(*search) == run(*search, "--then", "code", "--start", "0", "--video-rate", "0.02") == 0
    chosen, moved = generations
    assert chosen["rule"] == Search(candidates={"audio": 2, "video": 2}, at=0.5)
    assert moved["rule"] == Search(
        candidates={"audio": 2, "video": 2},
        at=0.5,
        then=Released(rates={"audio": 0.1, "video": 0.02}, start=0.0),
    )
    for stream in ("video", "audio"):
        before, after = (seen["result"].latents[stream] for seen in generations)
        assert before.shape == after.shape and not torch.allclose(before, after)
    assert list(chosen["result"].scores) == ["video ~ generated audio"]
    assert chosen["result"].tried.keys() == moved["result"].tried.keys()
    assert len(moved["result"].curves["video ~ text"]) == 2, "the released rule compares with the prompt after step 2"


def test_every_option_reaches_the_generation(run, joint, generations):
    arguments = (
        *joint[: -len(GRADIENT)],
        *("waves", "--audio-prompt", "surf", "--negative-prompt", "blur", "--audio-negative-prompt", "hiss"),
        *("--seed", "7", "--steps", "4", "--audio-steps", "6", "--cfg", "3", "--audio-cfg", "4"),
        *("--rule", "paper", "--video-rate", "5", "--audio-rate", "6"),
        *("--video-prompt-rate", "0.02", "--audio-prompt-rate", "0.03", "--pair-weight", "0.5"),
        *("--audio-timing-weight", "0.2", "--video-timing-weight", "0.1"),
        *("--compare", "per_clip", "--decoding", "half", "--window-seconds", "2.5", "--window-frames", "4"),
    )
    assert run(*arguments) == run(*arguments, "--unguided") == 0
    guided, unguided = generations
    comparison = Comparison("per_clip", "seconds", 1.0, 0.2, 0.1)
    assert guided["rule"] == Paper(
        rates={"video": 5.0, "audio": 6.0},
        prompt_rates={"video": 0.02, "audio": 0.03},
        comparison=comparison,
    )
    assert unguided["rule"] == Unguided(comparison)
    for seen in generations:
        assert (seen["seed"], seen["pair_weight"]) == (7, 0.5)
        assert prompts(seen) == [("video",), ("audio",)]
        video, sound = seen["denoiser"].denoisers
        assert (video.steps, video.cfg, video.decoding, sound.steps, sound.cfg) == (4, 3.0, "half", 6, 4.0)
        assert video.windows.length == 4 and sound.windows is not None
        torch.testing.assert_close(video.negative, video.model.encode_prompts(["blur"]))
        torch.testing.assert_close(sound.negative, sound.model.encode_prompts(["hiss"]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["", "--pair-weight", "0"], "every condition has weight 0"),
        (["waves", "--pair-weight", "0", "--text-weight", "0"], "every condition has weight 0"),
        (["waves", "--pair-weight", "0", "--then", "code"], "every condition has weight 0"),
        (["waves", "--pair-weight", "nan"], "--pair-weight must be between -10 and 10, not nan"),
        (["waves", "--audio-steps", "0"], "--audio-steps must be between 1 and 999, not 0"),
        (["waves", "--audio-cfg", "-2"], "--audio-cfg must be between 0 and 30, not -2"),
        (["waves", "--audio-rate", "-2"], "--audio-rate must be between 0 and 1000, not -2"),
        (
            [*("waves", "--rule", "code"), *("--video-rate", "0", "--video-prompt-rate", "0", "--audio-rate", "0")],
            "learning rates of",
        ),
        (["waves", "--video-candidates", "1", "--audio-candidates", "1"], "Try several candidates"),
        (["waves", "--frames", "4000", "--fps", "1"], "seconds of sound are too many"),
        (["waves", "--window-seconds", "1"], "window must last 2 s or longer"),
        (["waves", "--denoise", "0.5"], "name one with --init"),
        (["waves", "--width", "30"], "multiple of 8"),
        (["waves", "--models", "nowhere"], "there is no nowhere"),
        (
            ["waves", "--rule", "code", "--video-prompt-rate", "0", "--save-prompt", "p.safetensors"],
            "raise --video-prompt-rate or --audio-prompt-rate",
        ),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, arguments, message):
    assert message in refused("joint", "-o", "out.mp4", *arguments)
