"""score: the columns of published tables by networks with small random weights, and a folder for av-benchmark."""

import csv
import json
import re
import sys

import pytest
import torch

import aligner.cli.commands.score  # noqa: F401
from aligner.cli import av_benchmark
from aligner.media import probe_video, read_audio, write_audio, write_video
from aligner.metrics.networks.cnn14 import Cnn14
from aligner.metrics.networks.vggish import VGGish

from ..metrics import published

RATE, FPS, FRAMES = 16_000, 8, 16
NAMES = [f"clip{number}" for number in range(10)]


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def write_sounds(folder, seed: int, seconds: float = 1.2):
    """A tone in noise for each name."""
    for number, name in enumerate(NAMES):
        time = torch.arange(round(seconds * RATE)) / RATE
        noise = drawn(len(time), seed=seed * 100 + number) - 0.5
        tone = (2 * torch.pi * (200 + 150 * number + 40 * seed) * time).sin()
        write_audio(folder / f"{name}.wav", (0.3 * tone + 0.2 * noise)[None], RATE)
    return folder


def write_videos(folder, seed: int, suffix: str = ".mp4", frames: int = FRAMES):
    for number, name in enumerate(NAMES[:2]):
        pixels = (255 * drawn(frames, 32, 48, 3, seed=seed * 100 + number)).to(torch.uint8)
        sound = 0.1 * drawn(1, round(frames / FPS * RATE), seed=seed * 100 + number)
        write_video(folder / f"{name}.mp4", pixels, FPS, sound, RATE)
        (folder / f"{name}.mp4").rename(folder / f"{name}{suffix}")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    narrow = Cnn14((2, 2, 2, 4, 4, 6), classes=5)
    front = published.spectrogram_weights()
    torch.save({"model": published.randomised(narrow).state_dict() | front}, folder / "cnn14.pth")
    torch.save(published.randomised(VGGish((2, 2, 2, 4, 4, 4), (8, 8, 6))).state_dict(), folder / "vggish.pth")
    torch.save(published.i3d().state_dict(), folder / "i3d.pt")
    return folder


@pytest.fixture
def captions(tmp_path):
    (tmp_path / "captions.csv").write_text("name,caption\n" + "".join(f'{name},"a tone, low"\n' for name in NAMES))
    return tmp_path / "captions.csv"


@pytest.fixture
def scored(run, capsys):
    """A function that scores and returns the figures of the printed table, by name, and all that was printed."""

    def score(*arguments) -> tuple[dict[str, float], str]:
        assert run("score", *arguments) == 0
        printed = capsys.readouterr().out
        rows = re.findall(r"^(\w.*?)  +([+-]\d+\.\d{4}) .*? (\d+)$", printed, flags=re.MULTILINE)
        return {name: float(value) for name, value, _ in rows}, printed

    return score


def test_sounds_get_the_columns_of_both_networks(scored, weights, tmp_path):
    ours, theirs = write_sounds(tmp_path / "ours", seed=1), write_sounds(tmp_path / "theirs", seed=2)
    given = ("--cnn14", weights / "cnn14.pth", "--vggish", weights / "vggish.pth", "--json", tmp_path / "out.json")
    figures, printed = scored(ours, "--reference", theirs, *given)
    assert [name for name in figures if name in ("KL", "ISc", "FD", "FAD")] == ["KL", "ISc", "FD", "FAD"]
    assert figures["KL"] > 0 and figures["ISc"] >= 1 and figures["FD"] > 0 and figures["FAD"] > 0
    assert "missing" not in printed
    same, _ = scored(ours, "--reference", ours, *given)
    assert abs(same["KL"]) < 1e-4 and same["FD"] == pytest.approx(0, abs=1e-4) == same["FAD"]
    document = json.loads((tmp_path / "out.json").read_text())
    (kl,) = (each for each in document["measures"] if each["name"] == "KL")
    assert set(kl["each"]) == set(NAMES) and document["networks"]["cnn14"] == str(weights / "cnn14.pth")


def test_videos_get_fvd_and_kvd(scored, weights, tmp_path):
    ours, theirs = write_videos(tmp_path / "ours", seed=1), write_videos(tmp_path / "theirs", seed=2, suffix=".mov")
    figures, printed = scored(ours, "--reference", theirs, "--i3d", weights / "i3d.pt")
    assert figures["FVD"] > 0 and "KVD" in figures and "AV-Align published" in figures
    assert (
        "KL, ISc, FD missing: give --cnn14 Cnn14_16k_mAP=0.438.pth, from https://zenodo.org/records/3987831." in printed
    )
    assert "FAD missing: give --vggish" in printed


def test_what_is_missing_is_said_with_its_reason(scored, weights, tmp_path, captions):
    ours, theirs = write_sounds(tmp_path / "ours", seed=1), write_sounds(tmp_path / "theirs", seed=2)
    given = ("--captions", captions, "--cnn14", weights / "cnn14.pth")
    figures, printed = scored(ours, *given)
    assert (
        "ISc" in figures
        and "No KL: there are 10 sounds and 0 in --reference, and it needs a pair of one name." in printed
    )
    assert "from https://github.com/harritaylor/torchvggish/releases, and --reference." in printed
    for name in NAMES[1:]:
        (ours / f"{name}.wav").unlink()
    one, printed = scored(ours, "--reference", theirs, *given, "--vggish", weights / "vggish.pth")
    assert {"KL", "FAD"} < one.keys() and not {"ISc", "FD"} & one.keys()
    assert "No ISc: it needs 10 sounds, and there are 1." in printed
    assert "No FD: there are 1 sounds and 1 in --reference, and it needs 2 on both sides." in printed
    assert "FAD: 2 rows are too few for 6 dimensions." in printed


@pytest.mark.parametrize(
    "given, words",
    [
        (("--cnn14", "nowhere.pth"), "There is no nowhere.pth: --cnn14 names Cnn14_16k"),
        (("--vggish", "cnn14.pth", "--reference", "sounds"), "is not VGGish"),
        (("--av-benchmark", "out"), "av-benchmark compares sounds with sounds: give --reference"),
        (("--av-benchmark", "out", "--json", "out/figures.json"), "--json cannot lie in the folder of --av-benchmark"),
        (("--av-benchmark", "sounds", "--reference", "sounds"), "sounds is there already"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_long_work(
    run, capsys, weights, tmp_path, monkeypatch, captions, given, words
):
    monkeypatch.chdir(weights)
    monkeypatch.setattr(
        sys.modules["aligner.cli.commands.score"], "load_models", lambda *_: pytest.fail("models are loaded")
    )
    write_sounds(weights / "sounds", seed=1)
    ours = write_videos(tmp_path / "ours", seed=1) if "out" in given else weights / "sounds"
    assert run("score", ours, "--captions", captions, *given) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("short", ["ours", "theirs"])
def test_a_video_of_too_few_frames_is_refused(run, capsys, weights, tmp_path, short):
    for seed, side in enumerate(("ours", "theirs")):
        write_videos(tmp_path / side, seed, frames=12 if side == short else FRAMES)
    command = ("score", tmp_path / "ours", "--reference", tmp_path / "theirs", "--i3d", weights / "i3d.pt")
    assert run(*command) == 1
    assert "FVD compares 16 frames of each video" in capsys.readouterr().err


def test_without_opencv_the_other_columns_are_there(scored, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    figures, printed = scored(write_videos(tmp_path / "ours", seed=1))
    assert "AV-Align matched" in figures and "AV-Align published" not in figures
    assert "AV-Align as published is missing: cv2 cannot be imported" in printed


def test_a_folder_for_av_benchmark(scored, tmp_path, captions):
    ours, theirs = write_videos(tmp_path / "ours", seed=1, suffix=".mov"), write_sounds(tmp_path / "theirs", seed=2)
    folder = tmp_path / "bench"
    _, printed = scored(ours, "--reference", theirs, "--captions", captions, "--av-benchmark", folder)
    names = {row["sample"]: row["name"] for row in rows_of(folder / "names.csv")}
    assert list(names.values()) == NAMES[:2]
    for sample, name in names.items():
        written, rate = read_audio(folder / "reference" / f"{sample}.wav")
        assert rate == RATE and torch.equal(written, read_audio(theirs / f"{name}.wav")[0])
        assert read_audio(folder / "generated" / f"{sample}.wav")[0].shape[1] == 2 * RATE
        assert len(probe_video(folder / "videos" / f"{sample}.mp4").frame_times) == FRAMES
    assert sorted(path.stem for path in (folder / "reference").iterdir()) == sorted(names)
    assert {row["name"]: row["caption"] for row in rows_of(folder / "captions.csv")} == dict.fromkeys(
        names, "a tone, low"
    )
    cache = folder / "reference" / "cache"
    assert f"python extract_text.py --text_csv {folder / 'captions.csv'} --output_cache_path {cache}" in printed
    assert f"--pred_audio {folder / 'generated'} --audio_length=1.2 --skip_video_related\n" in printed
    assert "extract_video" not in printed and "need videos, and 4.8 s of every recording" in printed


def test_long_recordings_are_compared_with_their_videos(scored, tmp_path):
    ours, theirs = write_videos(tmp_path / "ours", seed=1, frames=40), write_sounds(tmp_path / "theirs", 2, seconds=6)
    _, printed = scored(ours, "--reference", theirs, "--av-benchmark", tmp_path / "bench")
    cache, videos = tmp_path / "bench" / "reference" / "cache", tmp_path / "bench" / "videos"
    assert f"python extract_video.py --gt_cache {cache} --video_path {videos} --audio_length=5.0\n" in printed
    assert printed.count("--audio_length=5.0\n") == 2


def test_an_interrupted_folder_leaves_nothing(run, tmp_path, monkeypatch):
    ours, theirs = write_sounds(tmp_path / "ours", seed=1), write_sounds(tmp_path / "theirs", seed=2)
    command = ("score", ours, "--reference", theirs, "--av-benchmark", tmp_path / "bench")
    with monkeypatch.context() as patched:
        patched.setattr(av_benchmark, "write_audio", interrupt)
        assert run(*command) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "theirs"]
    assert run(*command) == 0 and (tmp_path / "bench" / "names.csv").exists()


def interrupt(*_):
    raise KeyboardInterrupt


def rows_of(file):
    with file.open(newline="") as table:
        return list(csv.DictReader(table))
