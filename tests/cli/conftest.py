"""Models in a folder, media in files, and the command line called in this process."""

import re
from pathlib import Path

import pytest
import torch

import aligner.cli.steering
from aligner.binders.imagebind import save_imagebind
from aligner.cli import main, progress
from aligner.media import write_audio, write_video
from laboratory.random_models import (
    load_random_imagebind,
    write_random_animatediff,
    write_random_audioldm,
)

REAL_MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


@pytest.fixture(autouse=True)
def every_step_is_reported(monkeypatch):
    """A log would hear nothing of work that takes seconds."""
    monkeypatch.setattr(progress, "PAUSE", 0.0)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A models folder as ComfyUI has one."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "imagebind").mkdir()
    save_imagebind(load_random_imagebind(), folder / "imagebind" / "imagebind_small.safetensors")
    write_random_audioldm(folder / "audioldm" / "audioldm-small")
    base, motion = write_random_animatediff(tmp_path_factory.mktemp("animatediff"))
    for source, place in ((base, folder / "diffusers"), (motion, folder / "animatediff_models")):
        place.mkdir()
        source.rename(place / "small")
    return folder


@pytest.fixture
def clip(tmp_path):
    """Half a second of moving grey, silent."""
    frames = torch.arange(12, dtype=torch.uint8)[:, None, None, None].expand(12, 48, 64, 3).contiguous() * 20
    write_video(tmp_path / "clip.mp4", frames, 24)
    return tmp_path / "clip.mp4"


@pytest.fixture
def sound(tmp_path):
    """Two and a half seconds of a rising tone in stereo, at a rate that is not ImageBind's."""
    time = torch.arange(int(2.5 * 22050)) / 22050
    tone = (time * (300 + 200 * time) * 2 * torch.pi).sin()
    write_audio(tmp_path / "tone.wav", torch.stack([0.5 * tone, -0.3 * tone]), 22050)
    return tmp_path / "tone.wav"


@pytest.fixture
def real():
    """A function from the name of a real clip, picture or sound to its path; without them the test is skipped."""
    if not REAL_MEDIA.is_dir():
        pytest.skip("the real clips are not here")
    return lambda name: REAL_MEDIA / name


@pytest.fixture
def run():
    """The command line: arguments to exit status."""
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def refused(run, tmp_path, capsys, monkeypatch):
    """A function that runs a command which must end with one clear line, before sampling and without leaving a file.

    Returns the line.
    """

    def run_refused(*arguments) -> str:
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()  # of earlier commands
        before = sorted(tmp_path.rglob("*"))
        assert run(*arguments) == 1
        captured = capsys.readouterr()
        (line,) = [line for line in captured.err.splitlines() if line.startswith("aligner: ")]
        assert " passed, " not in captured.err, "sampling had started"
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run_refused


@pytest.fixture
def scores(run, capsys):
    """A function that runs a command and returns the cosines it prints, by pair."""

    def run_scored(*arguments) -> dict[str, float]:
        assert run(*arguments) == 0
        printed = re.findall(r"^cosine (.+): ([+-]\d\.\d+)$", capsys.readouterr().out, flags=re.MULTILINE)
        return {label: float(score) for label, score in printed}

    return run_scored


@pytest.fixture
def generations(monkeypatch):
    """A list that grows with every generation: what it was asked for, and as "result" what came out."""
    seen, generate = [], aligner.cli.steering.generate

    def recording_generate(denoiser, prompts, **arguments):
        result = generate(denoiser, prompts, **arguments)
        seen.append({**arguments, "denoiser": denoiser, "prompts": prompts, "result": result})
        return result

    monkeypatch.setattr(aligner.cli.steering, "generate", recording_generate)
    return seen
