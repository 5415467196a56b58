"""Rules, binders and generators of another package, which is installed for a test and found by its entry points."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aligner.media import probe_video, read_audio, read_image
from laboratory.random_clap import write_random_clap
from laboratory.random_pe_av import write_random_pe_av

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENTRY_POINTS = """
[aligner.rules]
luckiest = sounding_toys:Luckiest

[aligner.binders]
statistics = sounding_toys:Statistics

[aligner.generators]
hum = sounding_toys:Hum
fog = sounding_toys:Fog
gone = no_such_module:Gone
"""
SMALL = ("--frames", "4", "--width", "32", "--height", "32")
FEW = ("--video-candidates", "3", "--steps", "4")
#: A gradient at all steps that leaves the prompt alone.
MOVING = ("--rule", "code", "--start", "0", "--video-prompt-rate", "0", "--decoding", "half")


@pytest.fixture
def site(tmp_path):
    """A folder with the installed package."""
    information = tmp_path / "site" / "sounding_toys-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: sounding-toys\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    shutil.copy(HERE / "sounding_toys.py", information.parent)
    return information.parent


@pytest.fixture
def toys(site, monkeypatch):
    """The module of the package, which Python finds."""
    monkeypatch.syspath_prepend(site)
    yield lambda: sys.modules["sounding_toys"]
    sys.modules.pop("sounding_toys", None)


def test_a_rule_steers(run, toys, generations, clip, models, tmp_path):
    request = ("v2a", clip, "-o", tmp_path / "out.wav", "--models", models, "--steps", "3", "--prompt", "a thud")
    assert run(*request, "--rule", "luckiest", "--overview", tmp_path / "overview.png") == 0
    assert run(*request, "--rule", "luckiest", "--unguided") == 0
    steered, unguided = generations
    assert isinstance(steered["rule"], toys().Luckiest)
    assert unguided["rule"].comparison == toys().Luckiest.comparison
    assert list(steered["result"].scores) == ["audio ~ video", "audio ~ text"], "the rule's text_weight is its own"
    assert steered["result"].score > unguided["result"].score
    assert (tmp_path / "overview.png").is_file()


def test_a_binder_takes_the_place_of_imagebind(run, toys, generations, clip, models, tmp_path):
    others = ("--models", models, "--binder", "statistics=weights.bin", "--dtype", "fp32")
    assert run("v2a", clip, "-o", tmp_path / "out.wav", *others, "--steps", "3", "--audio-candidates", "3") == 0
    (seen,) = generations
    assert isinstance(seen["binder"], toys().Statistics)
    assert (seen["binder"].path, seen["binder"].dtype) == ("weights.bin", torch.float32)
    assert [condition.embedding.binder for condition in seen["conditions"]] == ["statistics"]
    assert len(seen["result"].tried["audio ~ video"]) == 3


def test_pe_av_takes_the_place_of_imagebind(run, generations, clip, models, tmp_path):
    write_random_pe_av(tmp_path / "pe-av-tiny")
    others = ("--models", models, "--binder", f"pe-av={tmp_path / 'pe-av-tiny'}")
    assert run("v2a", clip, "-o", tmp_path / "out.wav", *others, "--steps", "3", "--audio-candidates", "3") == 0
    (seen,) = generations
    assert seen["binder"].identity == "PE-AV" and "audio ~ video" in seen["result"].scores


def test_clap_sees_no_clip(refused, clip, models, tmp_path):
    write_random_clap(tmp_path / "clap-tiny")
    others = ("--models", models, "--binder", f"clap={tmp_path / 'clap-tiny'}")
    assert "CLAP embeds text, audio, but no" in refused("v2a", clip, "-o", tmp_path / "out.wav", *others)


def test_a_binder_measures_results(run, toys, clip, sound, tmp_path, capsys):
    assert run("score", tmp_path, "--reference", tmp_path, "--binder", "statistics=weights.bin") == 0
    printed = capsys.readouterr().out
    assert "by Statistics, which guidance optimises" in printed and "TOY" not in printed


def test_a_generator_of_sound_takes_the_place_of_audioldm(run, toys, generations, models, tmp_path):
    from aligner.demo.examples import EXAMPLE_IMAGE

    output = tmp_path / "out.wav"
    others = ("--models", models, "--generator", "hum=hum.bin", "--prompt", "a hum", "--negative-prompt", "hiss")
    given = ("--seconds", "1.25", "--steps", "4", "--cfg", "2", "--window-seconds", "0.5")
    assert run("i2a", EXAMPLE_IMAGE, "-o", output, *others, *given, "--audio-candidates", "3") == 0
    waveform, rate = read_audio(output)
    assert (waveform.shape, rate) == ((1, 20000), 16000) and waveform.std() > 0.1
    denoiser = generations[0]["denoiser"]
    assert isinstance(denoiser, toys().HumDenoiser) and denoiser.seconds == 1.25
    assert denoiser.settings == {
        "steps": 4,
        "cfg": 2.0,
        "negative_prompt": "hiss",
        "denoise": 1.0,
        "window_seconds": 0.5,
    }


def test_a_generator_of_frames_takes_the_place_of_stable_diffusion(run, toys, generations, sound, models, tmp_path):
    others = ("--models", models, "--generator", "fog=fog.bin", *FEW)
    assert run("a2v", sound, "-o", tmp_path / "out.mp4", *others, *SMALL, "--decoding", "half") == 0
    assert run("a2v", sound, "-o", tmp_path / "out.mp4", *others[:-4], "--steps", "2", *SMALL, *MOVING) == 0
    assert run("a2i", sound, "-o", tmp_path / "out.png", *others, "--width", "48", "--height", "32") == 0
    assert (probe_video(tmp_path / "out.mp4").width, probe_video(tmp_path / "out.mp4").duration) == (32, 0.5)
    assert read_image(tmp_path / "out.png").shape == (3, 32, 48)
    video, moved, picture = generations
    assert isinstance(video["denoiser"], toys().FogDenoiser) and picture["denoiser"].frames == 1
    assert video["denoiser"].settings == {
        "steps": 4,
        "cfg": 0.0,
        "negative_prompt": "",
        "denoise": 1.0,
        "decoding": "half",
        "window_frames": 0,
    }
    assert len(moved["result"].curves["video ~ audio"]) == 2, "a gradient passes through it at both steps"


def test_all_of_them_work_together_without_any_other_model(run, toys, generations, tmp_path, capsys):
    chosen = ("--binder", "statistics=a", "--generator", "fog=b", "--audio-generator", "hum=c", "--rule", "luckiest")
    assert run("joint", "waves", "-o", tmp_path / "out.mp4", *chosen, *SMALL, "--audio-steps", "3") == 0
    assert "TOY" not in capsys.readouterr().out
    waveform, rate = read_audio(tmp_path / "out.mp4")
    assert waveform.shape == (1, rate // 2) and probe_video(tmp_path / "out.mp4").duration == 0.5
    (seen,) = generations
    assert [type(each).__name__ for each in seen["denoiser"].denoisers] == ["FogDenoiser", "HumDenoiser"]
    assert list(seen["result"].scores) == ["video ~ generated audio", "video ~ text", "audio ~ text"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--rule", "nobody"],
            "--rule nobody: there is none of this name. Available: search, code, paper, luckiest.",
        ),
        (
            ["--rule", "luckiest", "--at", "0.5"],
            "--at belongs to the rule search and has no effect with --rule luckiest",
        ),
        (["--rule", "luckiest", "--clips", "short"], "--clips belongs to the rules search, code and paper"),
        (["--rule", "luckiest", "--then", "paper"], "--then belongs to the rule search"),
        (["--binder", "nobody=x"], "--binder nobody: there is none of this name. Available: pe-av, clap, statistics."),
        (["--generator", "nobody=x"], "--generator nobody: there is none of this name. Available: fog, gone, hum."),
        (["--generator", "gone=x"], "--generator gone: no_such_module:Gone cannot be loaded (No module named"),
        (["--generator", "hum"], "--generator takes NAME=PATH, such as mine=weights.safetensors, not hum."),
        (["--binder", "statistics="], "--binder takes NAME=PATH"),
        (
            ["--binder", "statistics=x", "--imagebind", "y"],
            "--binder takes the place of --imagebind: leave one of them",
        ),
        (["--generator", "hum=x", "--audioldm", "y"], "--generator takes the place of --audioldm: leave one of them"),
        (["--generator", "hum=x"], "This command needs more models: also give --imagebind, or --models."),
        (["--binder", "statistics=x"], "This command needs more models: also give --audioldm, or --models."),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, toys, clip, arguments, message):
    assert message in refused("v2a", clip, "-o", "out.wav", *arguments)


def test_what_belongs_to_stable_diffusion_is_refused_beside_another_generator(refused, toys, sound, clip, models):
    request = ("a2v", sound, "-o", "out.mp4", *SMALL, "--models", models, "--generator", "fog=x")
    for option in ("--base", "--motion", "--lora"):
        assert f"--generator takes the place of {option}: leave one of them out." in refused(*request, option, "y")
    assert "takes the place of --taesd" in refused(*request, "--decoding", "taesd", "--taesd", "y")
    assert "--init needs a generator that encodes frames" in refused(*request, "--init", clip, "--denoise", "0.5")


def test_a_file_that_another_package_reads_is_never_overwritten(refused, toys, sound, clip):
    request = ("a2v", sound, "--binder", f"statistics={clip}", "--generator", "fog=x")
    assert "clip.mp4 would be overwritten by the result" in refused(*request, "-o", clip)


def test_without_other_packages_the_message_names_what_is_built_in(refused, clip):
    assert "Available: search, code, paper." in refused("v2a", clip, "-o", "out.wav", "--rule", "luckiest")
    assert "Available: pe-av, clap." in refused("v2a", clip, "-o", "out.wav", "--binder", "statistics=x")


@pytest.mark.parametrize("command", ["", "v2a", "joint"])
def test_help_loads_neither_the_package_nor_torch(site, command):
    code = (
        "import sys; from aligner.cli import main\n"
        f"try: main({[*filter(None, [command]), '--help']!r})\n"
        "except SystemExit: pass\n"
        "print(*(name for name in ('torch', 'sounding_toys') if name in sys.modules), 'nothing more')"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, site)))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.splitlines()[-1] == "nothing more"
    assert "examples:" in printed and (not command or "{search,code,paper,NAME}" in printed)


def test_an_installed_rule_is_found_by_a_fresh_process(site, clip, tmp_path):
    arguments = ["v2a", clip, "-o", tmp_path / "out.wav", "--steps", "2", "--rule", "luckiest"]
    done = subprocess.run(
        [sys.executable, "-m", "aligner", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, site)))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "cosine audio ~ video" in done.stdout and (tmp_path / "out.wav").is_file()
