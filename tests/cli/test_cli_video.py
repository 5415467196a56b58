"""a2v and a2i, from files to files."""

import re
from fractions import Fraction

import pytest
import torch

from aligner.cli.inputs import VideoShape, first_frames
from aligner.demo.family import VIDEO_CFG
from aligner.generators.stable_diffusion import save_taesd
from aligner.generators.tuned_prompts import load_tuned_prompt
from aligner.guidance.gradient import Paper
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Unguided
from aligner.media import probe_video, read_audio, read_image, write_audio, write_video

#: Half a second of small video in few steps.
SMALL = ("--frames", "4", "--width", "32", "--height", "32", "--steps", "3")
#: Candidates of a search, fewer than the default.
FEW = ("--video-candidates", "2")
#: The rule of the released code, at all steps.
GRADIENT = ("--rule", "code", "--start", "0")


@pytest.fixture
def a2v(models, sound, tmp_path):
    """The arguments of a small a2v run, but for what a test adds."""
    return ("a2v", sound, "-o", tmp_path / "out.mp4", "--models", models, *SMALL)


def test_the_video_lasts_as_long_as_asked_for_with_its_piece_of_the_sound(run, a2v, sound, tmp_path, capsys):
    arguments = (
        *(*a2v, "--width", "48", "--frames", "6", "--fps", "4", "--sound-start", "0.75", *FEW),
        *("--prompt", "a siren", "--away-from", "music", "--text-weight", "1", "--overview", tmp_path / "overview.png"),
    )
    assert run(*arguments) == 0
    info = probe_video(tmp_path / "out.mp4")
    assert (info.codec, info.width, info.height) == ("h264", 48, 32)
    assert (len(info.frame_times), info.fps, info.duration) == (6, 4, 1.5)
    heard, rate = read_audio(tmp_path / "out.mp4")
    piece = read_audio(sound)[0][:, int(0.75 * 22050) : int(0.75 * 22050) + int(1.5 * 22050)]
    assert (heard.shape, rate) == (piece.shape, 22050), "the sound keeps its own rate and channels"
    assert torch.corrcoef(torch.stack([heard.flatten(), piece.flatten()]))[0, 1] > 0.95
    assert (tmp_path / "overview.png").stat().st_size > 1000
    captured = capsys.readouterr()
    assert "video ~ audio" in captured.out and "video ~ text 2" in captured.out and "loss=" in captured.err


@pytest.mark.parametrize("name, start", [("bird_audio.wav", 0), ("rain_drive_stereo_10s.mp4", 6.5)])
def test_real_sounds(run, real, a2v, tmp_path, name, start):
    command, _, *rest = a2v
    assert run(command, real(name), *rest, "--sound-start", start, "--frames", "16", "--steps", "2", *FEW) == 0
    info = probe_video(tmp_path / "out.mp4")
    heard, rate = read_audio(tmp_path / "out.mp4")
    before, before_rate = read_audio(real(name))
    assert info.duration == 2 and len(info.frame_times) == 16
    assert (rate, heard.shape) == (before_rate, (len(before), 2 * rate))
    piece = before[:, round(start * rate) : round((start + 2) * rate)]
    assert torch.corrcoef(torch.stack([heard.flatten(), piece.flatten()]))[0, 1] > 0.95


@pytest.mark.parametrize("seconds", [0.01, 0.3])
def test_a_sound_shorter_than_a_clip_is_followed_by_silence(run, a2v, tmp_path, seconds):
    noise = 0.5 * torch.rand(1, int(seconds * 16000), generator=torch.Generator().manual_seed(0))
    write_audio(tmp_path / "short.wav", noise, 16000)
    command, _, *rest = a2v
    assert run(command, tmp_path / "short.wav", *rest, *FEW) == 0
    heard, rate = read_audio(tmp_path / "out.mp4")
    assert heard.shape == (1, 8000) and probe_video(tmp_path / "out.mp4").duration == 0.5
    end = int(seconds * rate)
    assert heard[:, :end].abs().mean() > 0.1 > 0.01 > heard[:, end + 2048 :].abs().max()


def test_same_seed_same_bytes(run, a2v, tmp_path):
    files = []
    for seed in (4, 4, 5):
        assert run(*a2v, *FEW, "--seed", seed) == 0
        files.append((tmp_path / "out.mp4").read_bytes())
    assert files[0] == files[1] != files[2]


def test_guidance_raises_every_pair_above_the_unguided_run(scores, a2v):
    request = (*a2v, "--prompt", "birds", "--steps", "6", "--seed", "3", *GRADIENT)
    unguided, guided = scores(*request, "--unguided"), scores(*request)
    assert list(guided) == list(unguided) == ["video ~ audio", "video ~ text"]
    assert all(guided[pair] > unguided[pair] for pair in guided)


def test_tuned_prompts_are_saved_and_used_again(run, a2v, generations, tmp_path):
    file = tmp_path / "prompt.safetensors"
    rates = ("--video-rate", "0", "--video-prompt-rate", "0.05")
    assert run(*a2v, *GRADIENT, "--prompt", "birds", *rates, "--save-prompt", file) == 0
    assert run(*a2v, "--tuned-prompt", file, "--unguided") == 0
    first, second = generations
    tuned = load_tuned_prompt(file)
    assert tuned.texts == {"video": "birds"}
    torch.testing.assert_close(tuned.embeddings["video"], first["result"].prompts["video"])
    assert not torch.allclose(first["prompts"]["video"], tuned.embeddings["video"])
    assert torch.equal(second["prompts"]["video"], tuned.embeddings["video"])


def test_the_lower_denoise_the_more_is_kept_of_a_clip(run, a2v, generations, clip, tmp_path):
    for denoise in (0.25, 0.75):
        assert run(*a2v, *FEW, "--init", clip, "--denoise", denoise, "--steps", "8") == 0
    little, much = ((seen["result"].latents["video"] - seen["latents"]["video"]).norm() for seen in generations)
    assert little < 0.8 * much
    assert [seen["denoiser"].steps for seen in generations] == [2, 6]
    assert probe_video(tmp_path / "out.mp4").duration == 0.5


def test_a_clip_is_shown_at_the_asked_rate_and_cropped_to_the_asked_size(tmp_path):
    frames = torch.zeros(12, 40, 80, 3, dtype=torch.uint8)
    frames[:, :, 20:60] = torch.arange(20, 260, 20, dtype=torch.uint8)[:, None, None, None]  # black at both sides
    write_video(tmp_path / "clip.mp4", frames, 24)
    middle = first_frames(tmp_path / "clip.mp4", VideoShape(4, 24, 24, Fraction(8)))
    assert middle.shape == (4, 3, 24, 24) and middle.min() >= 0 and middle.max() <= 1
    seen = middle[..., 4:-4, 4:-4].mean(dim=(1, 2, 3)) * 255
    torch.testing.assert_close(seen, torch.tensor([20.0, 80.0, 140.0, 200.0]), atol=3, rtol=0)


@pytest.mark.parametrize("checkpointing", ["--checkpointing", "--no-checkpointing"])
def test_half_decoding_says_how_well_its_gradient_led(run, a2v, capsys, checkpointing):
    cosine = r"decoding half: the gradient's cosine with the exact one is ([+-]\d\.\d+)"
    for rule in (("--rule", "code"), (*FEW, "--then", "code")):
        assert run(*a2v, *rule, "--decoding", "half", checkpointing) == 0
        assert -1 < float(re.search(cosine, capsys.readouterr().out)[1]) < 1


def test_without_a_gradient_through_half_decoding_nothing_is_said_of_it(run, a2v, capsys):
    assert run(*a2v, "--rule", "code", "--decoding", "half", "--unguided") == 0
    assert run(*a2v, "--rule", "code", "--decoding", "exact") == 0
    assert run(*a2v, *FEW, "--decoding", "half") == 0, "a search has no gradient"
    assert "cosine with the exact one" not in capsys.readouterr().out


def test_what_was_read_is_never_overwritten(run, models, sound, tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    write_video(clip, torch.zeros(8, 32, 32, 3, dtype=torch.uint8), 8, *read_audio(sound))
    before = clip.read_bytes()
    link = tmp_path / "folder" / ".." / "clip.mp4"
    (tmp_path / "folder").mkdir()
    for arguments in (("a2v", clip, "-o", link), ("a2v", sound, "--init", clip, "--denoise", "0.5", "-o", clip)):
        assert run(*arguments, "--models", models, *SMALL) == 1
        assert "would be overwritten by the result" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_a_file_of_taesd_needs_its_decoding(run, a2v, tmp_path, capsys):
    assert run(*a2v, "--taesd", tmp_path / "none.safetensors") == 1
    assert "--taesd is for --decoding taesd" in capsys.readouterr().err


def test_guidance_may_look_through_taesd(run, a2v, capsys, tmp_path):
    from diffusers import AutoencoderTiny

    assert run(*a2v, "--rule", "code", "--decoding", "taesd") == 1
    assert "no TAESD decoder such as taesd_decoder.safetensors" in capsys.readouterr().err
    with torch.random.fork_rng():
        save_taesd(tmp_path / "taesd_decoder.safetensors", AutoencoderTiny().decoder)
    taesd = tmp_path / "taesd_decoder.safetensors"
    assert run(*a2v, "--rule", "code", "--decoding", "taesd", "--taesd", taesd) == 0
    assert "decoding taesd: the gradient's cosine" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_audio_to_image_writes_a_picture(scores, generations, models, sound, tmp_path, suffix):
    output = tmp_path / f"out{suffix}"
    printed = scores(
        *("a2i", sound, "-o", output, "--models", models, "--width", "48", "--height", "32", "--prompt", "a siren"),
        *("--sound-start", "0.5", "--sound-seconds", "1.5", "--steps", "3", "--text-weight", "1"),
    )
    assert read_image(output).shape == (3, 32, 48) and read_image(output).std() > 0.01
    assert list(printed) == ["video ~ audio", "video ~ text"]
    (seen,) = generations
    assert not seen["denoiser"].model.has_motion and len(seen["conditions"][0].embedding.spans) == 3


def test_the_whole_sound_steers_a_picture(run, generations, models, sound, tmp_path):
    small = ("--width", "32", "--height", "32", "--steps", "2")
    assert run("a2i", sound, "-o", tmp_path / "out.png", "--models", models, *small) == 0
    assert generations[0]["conditions"][0].duration == 2.5


def test_built_in_models_have_a_size_and_a_prompt_strength_of_their_own(run, generations, sound, tmp_path, capsys):
    few = ("--steps", "2", *FEW)
    assert run("a2i", sound, "-o", tmp_path / "out.png", *few) == 0
    assert "TOY" in capsys.readouterr().out and read_image(tmp_path / "out.png").shape == (3, 64, 64)
    assert run("a2i", sound, "-o", tmp_path / "out.png", *few, "--width", "32", "--cfg", "2") == 0
    assert read_image(tmp_path / "out.png").shape == (3, 64, 32)
    assert [seen["denoiser"].cfg for seen in generations] == [VIDEO_CFG, 2.0]


def test_other_models_have_the_usual_ones(run, a2v, generations):
    assert run(*a2v, *FEW) == 0
    (seen,) = generations
    assert (seen["denoiser"].cfg, seen["denoiser"].decoding) == (7.5, "exact")


def test_the_more_candidates_the_better_the_fit(scores, a2v, tmp_path):
    alike = ("--compare", "per_clip", "--clips", "short")
    one = scores(*a2v, "--unguided", *alike)
    many = scores(*a2v, "--video-candidates", "12", "--at", "0.7", "--overview", tmp_path / "overview.png", *alike)
    assert many["video ~ audio"] > one["video ~ audio"] and (tmp_path / "overview.png").stat().st_size > 1000


def test_every_option_reaches_the_generation(run, a2v, generations, clip):
    arguments = (
        *(*a2v, "--prompt", "a siren", "--away-from", "music", "--weight", "2", "--negative-prompt", "blur"),
        *("--seed", "7", "--steps", "4", "--cfg", "3", "--decoding", "half", "--init", clip, "--denoise", "0.5"),
        *("--frames", "5", "--fps", "12", "--width", "64", "--height", "32", "--window-frames", "4"),
        *("--rule", "paper", "--video-rate", "5", "--video-prompt-rate", "0.02", "--inner-steps", "2"),
        *("--start", "0", "--end", "0.9", "--no-checkpointing"),
        *("--compare", "per_clip", "--clips", "spread", "--text-weight", "0.5"),
        *("--video-timing-weight", "0.1"),
    )
    assert run(*arguments) == run(*arguments, "--unguided") == 0
    guided, unguided = generations
    comparison = Comparison("per_clip", "spread", 0.5, 0.0, 0.1)
    assert guided["rule"] == Paper(
        rates={"video": 5.0},
        prompt_rates={"video": 0.02},
        inner_steps=2,
        start=0.0,
        end=0.9,
        checkpointing=False,
        comparison=comparison,
    )
    assert unguided["rule"] == Unguided(comparison)
    for seen in generations:
        conditions = [(each.embedding.modality, each.weight, each.prompt) for each in seen["conditions"]]
        assert conditions == [("audio", 2.0, False), ("text", 1.0, True), ("text", -1.0, False)]
        denoiser = seen["denoiser"]
        assert (seen["seed"], denoiser.steps, denoiser.cfg) == (7, 2, 3.0)
        assert (denoiser.decoding, denoiser.denoise, denoiser.windows.length) == ("half", 0.5, 4)
        assert (denoiser.frames, denoiser.fps, denoiser.shape) == (5, 12, (4, 5, 4, 8))
        torch.testing.assert_close(denoiser.negative, denoiser.model.encode_prompts(["blur"]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--frames", "4000", "--fps", "1"], "seconds of sound are too many"),
        (["--frames", "40", "--window-frames", "33", "--models", ...], "look at 4 to 32 frames at once, not 33"),
        (["--width", "60"], "width must be a multiple of 8, not 60. Take 64"),
        (["--height", "36"], "height must be a multiple of 8"),
        (["--start", "0.9", "--rule", "paper"], "holds none of the 3 steps"),
        (["--video-rate", "0", "--video-prompt-rate", "0", "--rule", "code"], "learning rates of video"),
        (["--video-rate", "0", "--video-prompt-rate", "0", "--then", "paper"], "learning rates of video"),
        (["--video-candidates", "1"], "Try several candidates"),
        (["--weight", "0", "--prompt", "birds"], "every condition has weight 0"),
        (["--weight", "0", "--prompt", "birds", "--then", "code"], "every condition has weight 0"),
        (["--weight", "0", "--rule", "code"], "every condition has weight 0"),
        (["--away-from", " "], "--away-from needs a text"),
        (["--sound-start", "2.6"], "lasts 2.50 s.* earlier --sound-start"),
        (["--sound-start", "-1"], "--sound-start .* must be 0 or more"),
        (["--sound-start", "nan"], "--sound-start .* must be 0 or more"),
        (["--denoise", "0.5"], "name one with --init"),
        (["--init", "clip.mp4"], "--denoise 0.6"),
        (["--init", "clip.mp4", "--denoise", "0.5", "--frames", "5"], "at most --frames 4"),
        (["--init", "tone.wav", "--denoise", "0.5"], "no video stream"),
        (["--overview", "out.png", "--unguided"], "there is no overview"),
        (
            ["--save-prompt", "p.safetensors", "--rule", "code", "--video-prompt-rate", "0"],
            "raise --video-prompt-rate",
        ),
        (["--save-prompt", "p.safetensors", "--rule", "code", "--unguided"], "leave --unguided out"),
        (["--tuned-prompt", "tone.wav"], "tone.wav"),
        (["--lora", "style.safetensors"], "there is no style.safetensors"),
        (["--imagebind", "tone.wav"], "also give --base and --motion"),
        (["-o", "out.avi"], "out.avi has a suffix"),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, models, sound, clip, arguments, message):
    arguments = [models if argument is ... else argument for argument in arguments]
    assert re.search(message, refused("a2v", sound, "-o", "out.mp4", *SMALL, *arguments))


def test_sources_without_sound_are_refused(refused, clip):
    assert "no audio stream" in refused("a2v", clip, "-o", "out.mp4")
    assert "nowhere.wav" in refused("a2v", "nowhere.wav", "-o", "out.mp4")


@pytest.mark.parametrize(
    "rate, channels, written", [(192000, 2, (96000, 2)), (6000, 1, (7350, 1)), (47999, 1, (48000, 1))]
)
def test_a_sound_that_mp4_cannot_hold_is_converted(run, a2v, tmp_path, rate, channels, written):
    write_audio(tmp_path / "odd.wav", torch.rand(channels, rate) - 0.5, rate)
    _, _, *others = a2v
    assert run("a2v", tmp_path / "odd.wav", *others) == 0
    waveform, found = read_audio(tmp_path / "out.mp4")
    assert (found, len(waveform)) == written and waveform.abs().max() > 0.1


def test_a_tuned_prompt_of_another_generator_is_refused(refused, models, run, sound, clip, tmp_path):
    file = tmp_path / "audio.safetensors"
    tuned = ("--steps", "2", *GRADIENT, "--audio-prompt-rate", "0.01", "--save-prompt", file)
    assert run("v2a", clip, "-o", tmp_path / "out.wav", "--models", models, *tuned) == 0
    assert "for audio, but video" in refused(
        "a2v", sound, "-o", "out.mp4", "--models", models, *SMALL, "--tuned-prompt", file
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-o", "out.mp4"], "out.mp4 has a suffix"),
        (["-o", "out.png", "--overview", "./out.png"], "cannot be the result and its overview"),
        (["-o", "out.png", "--sound-seconds", "0"], "holds nothing"),
        (["-o", "out.png", "--sound-seconds", "nan"], "holds nothing"),
        (["-o", "out.png", "--sound-start", "9"], "earlier --sound-start"),
    ],
)
def test_bad_requests_for_pictures(refused, sound, arguments, message):
    assert message in refused("a2i", sound, *arguments)


@pytest.mark.parametrize("rule, step", [("code", "gradient._descend"), ("search", "selection._picked")])
def test_ctrl_c_leaves_nothing_half_written(run, a2v, tmp_path, capsys, monkeypatch, rule, step):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"aligner.guidance.{step}", interrupted)
    assert run(*a2v, "--rule", rule) == 130
    assert "No half-written file" in capsys.readouterr().err
    assert not list(tmp_path.glob("*out*"))


def test_a_sound_that_no_player_plays_is_refused(run, a2v, sound, tmp_path, capsys):
    """A file of floats may hold any number."""
    import wave

    samples = torch.full((8000,), 1e38).numpy().tobytes()
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 4, 16000, 0, "NONE", ""))
        file.writeframes(samples)
    content = bytearray(sound.read_bytes())
    content[20] = 3  # the format of a WAV file: IEEE floats
    sound.write_bytes(content)
    assert run(*a2v) == 1
    assert "The sound holds values from 1e+38 to 1e+38" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("option", ["--prompt", "--negative-prompt", "--away-from"])
def test_a_text_in_another_encoding_than_the_terminals_is_refused(run, a2v, option, capsys):
    assert run(*a2v, option, "a dog \udcff") == 1
    assert "holds half of a character at position 7" in capsys.readouterr().err
