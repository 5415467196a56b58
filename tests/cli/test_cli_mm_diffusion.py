"""mm-diffusion, from nothing, a clip or a sound to files."""

import pytest
import torch

from aligner.generators.mm_diffusion import MMDiffusion, save_mm_diffusion
from aligner.media import probe_video, read_audio, read_frames, write_audio, write_video

from ..generators.mm_diffusion.conftest import SMALL, random_network

FEW = ("--steps", "3", "--sampler", "ddim", "--audio-candidates", "2", "--video-candidates", "2", "--at", "0.5")


@pytest.fixture(scope="module")
def coupled(models, tmp_path_factory):
    """A models folder with a small MM-Diffusion, and beside it a file that its list leaves out."""
    folder = tmp_path_factory.mktemp("coupled") / "models"
    (folder / "mm_diffusion").mkdir(parents=True)
    (folder / "imagebind").symlink_to(models / "imagebind", target_is_directory=True)
    save_mm_diffusion(MMDiffusion(random_network()), folder / "mm_diffusion" / "Landscape.safetensors")
    for another in ("Landscape_SR.pt", "landscape_sr.safetensors"):
        (folder / "mm_diffusion" / another).write_bytes(b"another")
    return folder


@pytest.fixture
def command(coupled, tmp_path):
    return ("mm-diffusion", "-o", tmp_path / "out.mp4", "--models", coupled, *FEW)


@pytest.fixture
def moving(tmp_path):
    """A second of moving grey at 20 frames a second."""
    frames = torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 32, 32, 3).contiguous() * 12
    write_video(tmp_path / "moving.mp4", frames, 20)
    return tmp_path / "moving.mp4"


def test_one_clip_of_the_model(run, command, tmp_path, capsys):
    assert run(*command, "--overview", tmp_path / "out.png") == 0
    info, (waveform, rate) = probe_video(tmp_path / "out.mp4"), read_audio(tmp_path / "out.mp4")
    assert len(info.frame_times) == SMALL.frames and (info.width, info.height) == (SMALL.side, SMALL.side)
    assert rate == SMALL.sample_rate and waveform.std() > 0
    assert "cosine video ~ generated audio" in capsys.readouterr().out and (tmp_path / "out.png").exists()


def test_the_same_seed_gives_the_same_file(run, command, tmp_path):
    written = []
    for seed in (1, 1, 2):
        assert run(*command, "--seed", seed) == 0
        written.append((tmp_path / "out.mp4").read_bytes())
    assert written[0] == written[1] != written[2]


def test_texts_pictures_and_sounds_are_followed(scores, command, sound, tmp_path):
    from aligner.media import write_image

    write_image(tmp_path / "picture.png", torch.rand(3, 32, 32))
    found = scores(*command, "--text", "rain", "--picture", tmp_path / "picture.png", "--sound", sound)
    assert {pair.partition(" ~ ")[2] for pair in found} == {"generated audio", "text", "image", "audio"}


def test_a_given_clip_keeps_its_pictures_and_gets_a_sound_of_its_length(run, command, moving, tmp_path):
    assert run(*command, "--given-video", moving) == 0
    info = probe_video(tmp_path / "out.mp4")
    assert len(info.frame_times) == 10
    greys = read_frames(tmp_path / "out.mp4", list(range(10))).float().mean(dim=(1, 2, 3))
    torch.testing.assert_close(greys, torch.arange(0, 20, 2) * 12.0, atol=6, rtol=0)


def test_a_given_sound_stays(run, command, sound, tmp_path):
    assert run(*command, "--given-audio", sound, "--seconds", "1.2") == 0
    assert len(probe_video(tmp_path / "out.mp4").frame_times) == 12


def test_a_longer_result(run, command, tmp_path):
    assert run(*command, "--seconds", "1.5", "--overlap", "0.2") == 0
    assert probe_video(tmp_path / "out.mp4").duration == pytest.approx(1.5, abs=0.05)


def test_what_cannot_work_is_refused(refused, command, moving, sound, tmp_path):
    assert "leave nothing to make" in refused(*command, "--given-video", moving, "--given-audio", sound)
    write_audio(tmp_path / "short.wav", torch.zeros(1, 4_000), 16_000)
    late = ("--rule", "code", "--start", "0.9", "--sampler", "dpm-solver-clean", "--steps", "20")
    assert "holds none of the 7 steps" in refused(*command[:5], *late)
    short = refused(*command, "--given-audio", tmp_path / "short.wav")
    assert "The sound lasts 0.25 s, but this model takes clips of 0.8 s" in short
    assert "The video lasts 1.00 s" in refused(*command, "--given-video", moving, "--seconds", "2").replace(
        "What is given", "The video"
    )
    assert "would be overwritten" in refused(*command[:1], "-o", moving, *command[3:], "--given-video", moving)
    wrong = refused(*command[:3], "--imagebind", sound, "--coupled", tmp_path / "short.wav")
    assert "short.wav" in wrong or "tone.wav" in wrong
