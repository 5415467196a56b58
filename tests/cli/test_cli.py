"""The command line, from files to files: what all commands share, and those that make sound."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_VIDEO
from aligner.guidance.gradient import Paper
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Unguided
from aligner.media import probe_video, read_audio

ROOT = Path(__file__).resolve().parents[2]
FEW_STEPS = ("--steps", "3")


def test_video_to_audio_writes_the_clip_with_sound(run, tmp_path, clip, models, capsys):
    output = tmp_path / "out.mp4"
    assert (
        run(
            "v2a",
            clip,
            "-o",
            output,
            "--models",
            models,
            "--prompt",
            "a thud",
            "--text-weight",
            "1",
            "--away-from",
            "music",
            "--overview",
            tmp_path / "overview.png",
            *FEW_STEPS,
        )
        == 0
    )
    info = probe_video(output)
    waveform, rate = read_audio(output)
    assert info.codec == "h264" and info.duration == probe_video(clip).duration
    assert (waveform.shape[1], rate) == (info.samples(16000), 16000) and waveform.abs().max() > 0
    assert (tmp_path / "overview.png").stat().st_size > 1000
    captured = capsys.readouterr()
    assert "audio ~ video" in captured.out and "audio ~ text 2" in captured.out
    assert "loss=" in captured.err


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_image_to_audio_writes_sound_of_the_asked_length(run, tmp_path, models, suffix):
    output = tmp_path / f"out{suffix}"
    assert run("i2a", EXAMPLE_IMAGE, "-o", output, "--seconds", "1.25", "--models", models, *FEW_STEPS) == 0
    waveform, rate = read_audio(output)
    assert waveform.shape == (1, 20000) and rate == 16000


def test_same_seed_same_bytes(run, tmp_path, clip, models):
    for name in ("one.wav", "two.wav"):
        assert run("v2a", clip, "-o", tmp_path / name, "--models", models, "--seed", "4", *FEW_STEPS) == 0
    assert run("v2a", clip, "-o", tmp_path / "other.wav", "--models", models, "--seed", "5", *FEW_STEPS) == 0
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one.wav", "two.wav", "other.wav"))
    assert one == two != other


def test_without_models_it_says_that_they_are_toys(run, tmp_path, clip, capsys):
    assert run("v2a", clip, "-o", tmp_path / "out.wav", *FEW_STEPS) == 0
    assert "TOY" in capsys.readouterr().out


def test_demo_writes_video_and_overview_and_says_what_happened(run, tmp_path, capsys, monkeypatch):
    import aligner.cli.demo

    monkeypatch.setattr(aligner.cli.demo, "STEPS", 4)
    output = tmp_path / "out" / "demo.mp4"
    assert run("demo", "-o", output) == 0
    printed = capsys.readouterr().out
    assert "TOY" in printed and "The ball lands at 0.26 s and 1.26 s." in printed
    assert "Without guidance: " in printed and "With guidance: " in printed
    assert f"Next: play {output}." in printed
    assert probe_video(output).duration == probe_video(EXAMPLE_VIDEO).duration
    waveform, _ = read_audio(output)
    assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0
    assert output.with_suffix(".png").is_file()
    joint = output.with_stem("demo_joint")
    assert probe_video(joint).duration == 2 and read_audio(joint)[0].std() > 1e-3
    assert "The judge sees" in printed


@pytest.mark.parametrize("name", ["hawk_silent_9s.mp4", "rain_drive_stereo_10s.mp4"])
def test_real_clips(run, real, tmp_path, models, name):
    source, output = real(name), tmp_path / "out.mp4"
    assert run("v2a", source, "-o", output, "--models", models, "--steps", "2") == 0
    before, after = probe_video(source), probe_video(output)
    waveform, rate = read_audio(output)
    assert (after.codec, after.width, after.height) == ("h264", before.width, before.height)
    assert after.duration == before.duration and len(after.frame_times) == len(before.frame_times)
    assert (waveform.shape, rate) == ((1, before.samples(16000)), 16000)
    assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0


def test_real_picture(run, real, tmp_path, models):
    output = tmp_path / "out.wav"
    assert run("i2a", real("bird_image.jpg"), "-o", output, "--seconds", "3", "--models", models, "--steps", "2") == 0
    waveform, rate = read_audio(output)
    assert (waveform.shape, rate) == ((1, 48000), 16000)
    assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["v2a", "nowhere.mp4", "-o", "out.mp4"], "nowhere.mp4"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.avi"], "out.avi"),
        (
            ["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--steps", "3", "--start", "0.9", "--rule", "code"],
            "holds none of the 3 steps",
        ),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--start", "0.6", "--end", "0.4", "--rule", "paper"], "is empty"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--weight", "0"], "every condition has weight 0"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--window-seconds", "1"], "window must last 2 s or longer, not 1 s"),
        (["v2a", EXAMPLE_VIDEO, "-o", "made/../out/../../out.avi"], "out.avi"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--models", "nowhere"], "there is no nowhere"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--device", "abacus"], "abacus"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--overview", "c.png", "--unguided"], "there is no overview"),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--save-prompt", "p.safetensors"], "raise --audio-prompt-rate"),
        (
            ["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--save-prompt", "p.bin", "--then", "paper"],
            "p.bin has a suffix",
        ),
        (["v2a", EXAMPLE_VIDEO, "-o", "out.mp4", "--tuned-prompt", "p.safetensors"], "no weight file p.safetensors"),
        (["i2a", EXAMPLE_VIDEO, "-o", "out.wav"], "example.mp4"),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, arguments, message):
    assert re.search(message, refused(*arguments))


def test_ctrl_c_leaves_nothing_half_written(run, tmp_path, clip, models, capsys, monkeypatch):
    import aligner.guidance.gradient

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(aligner.guidance.gradient, "_descend", interrupted)
    output = tmp_path / "result" / "out.mp4"
    assert run("v2a", clip, "-o", output, "--models", models, "--rule", "code", *FEW_STEPS) == 130
    assert "No half-written file" in capsys.readouterr().err
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_ctrl_c_while_writing_leaves_nothing_half_written(run, tmp_path, clip, models, monkeypatch):
    import aligner.media.video

    monkeypatch.setattr(aligner.media.video, "written_whole", _interrupting(aligner.media.video.written_whole))
    output = tmp_path / "result" / "out.mp4"
    assert run("v2a", clip, "-o", output, "--models", models, *FEW_STEPS) == 130
    assert not list(output.parent.iterdir())


def _interrupting(written_whole):
    """Ctrl-C when everything is written but nothing is in place yet."""

    @contextmanager
    def interrupting(path):
        with written_whole(path) as temporary:
            yield temporary
            assert temporary.stat().st_size > 0
            raise KeyboardInterrupt

    return interrupting


@pytest.mark.parametrize("place", ["folder", "file/out.wav"])
def test_outputs_are_checked_before_the_work(run, tmp_path, clip, capsys, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    assert run("v2a", clip, "-o", "folder.wav" if place == "folder" else place) == 1
    assert run("v2a", clip, "-o", "new/out.wav", "--overview", "file/overview.png") == 1
    captured = capsys.readouterr()
    assert captured.err.count("aligner: ") == 2 and " passed, " not in captured.err and "TOY" not in captured.out
    assert sorted(tmp_path.rglob("*")) == before


def test_every_option_reaches_the_generation(run, generations, clip, models, tmp_path):
    arguments = (
        *("v2a", clip, "-o", tmp_path / "out.wav", "--models", models),
        *("--prompt", "a thud", "--away-from", "music", "--away-from", "speech", "--weight", "2"),
        *("--negative-prompt", "hiss", "--seed", "7", "--steps", "4", "--cfg", "3", "--window-seconds", "2.5"),
        *("--rule", "paper", "--audio-rate", "5", "--audio-prompt-rate", "0.01", "--inner-steps", "2"),
        *("--start", "0.1", "--end", "0.9", "--no-checkpointing"),
        *("--compare", "per_clip", "--clips", "spread", "--text-weight", "0.5"),
        *("--audio-timing-weight", "0.2"),
    )
    assert run(*arguments) == run(*arguments, "--unguided") == 0
    guided, unguided = generations
    comparison = Comparison("per_clip", "spread", 0.5, 0.2)
    assert guided["rule"] == Paper(
        rates={"audio": 5.0},
        prompt_rates={"audio": 0.01},
        inner_steps=2,
        start=0.1,
        end=0.9,
        checkpointing=False,
        comparison=comparison,
    )
    assert unguided["rule"] == Unguided(comparison)
    for seen in generations:
        conditions = [(each.embedding.modality, each.weight, each.prompt) for each in seen["conditions"]]
        assert conditions == [
            ("video", 2.0, False),
            ("text", 1.0, True),
            ("text", -1.0, False),
            ("text", -1.0, False),
        ]
        denoiser = seen["denoiser"]
        assert (seen["seed"], denoiser.steps, denoiser.cfg, denoiser.denoise) == (7, 4, 3.0, 1.0)
        assert denoiser.windows is not None
        torch.testing.assert_close(denoiser.negative, denoiser.model.encode_prompts(["hiss"]))
    assert guided["result"].scores.keys() == unguided["result"].scores.keys()
    assert len(unguided["result"].scores) == 4, "the unguided result is scored by the same comparison"


def test_help_teaches_without_loading_anything():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from aligner.cli import main\ntry: main(['--help'])\n"
            "except SystemExit: pass\nprint('torch' in sys.modules)",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "examples:" in loaded and "imagebind_huge.pth" in loaded and loaded.strip().endswith("False")
