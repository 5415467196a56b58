"""score: the columns of published tables by networks with small random weights, and a folder for av-benchmark."""

import csv
import json
import re

import pytest
import torch

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


def test_without_a_reference_only_the_inception_score_is_left(scored, weights, tmp_path):
    ours, theirs = write_sounds(tmp_path / "ours", seed=1), write_sounds(tmp_path / "theirs", seed=2)
    (tmp_path / "captions.csv").write_text("name,caption\n" + "".join(f"{name},a tone\n" for name in NAMES))
    captioned = ("--captions", tmp_path / "captions.csv", "--cnn14", weights / "cnn14.pth")
    figures, printed = scored(ours, *captioned)
    assert "ISc" in figures and "No KL and FD: at least 2 files are needed on both sides." in printed
    for name in NAMES[3:]:
        (ours / f"{name}.wav").unlink()
    few, printed = scored(ours, "--reference", theirs, *captioned)
    assert "FD" in few and "ISc" not in few and "No ISc: ISc needs 10 files." in printed


@pytest.mark.parametrize(
    "given, words",
    [
        (("--cnn14", "nowhere.pth"), "There is no nowhere.pth: --cnn14 names Cnn14_16k"),
        (("--vggish", "vggish.pth"), "FAD compare with other files: give --reference"),
        (("--vggish", "cnn14.pth", "--reference", "sounds"), "is not VGGish"),
        (("--av-benchmark", "out"), "av-benchmark compares sounds with sounds: give --reference"),
        (("--av-benchmark", "sounds", "--reference", "sounds"), "sounds is not an empty folder"),
    ],
)
def test_what_cannot_be_computed_is_refused(run, capsys, weights, tmp_path, monkeypatch, given, words):
    monkeypatch.chdir(weights)
    write_sounds(weights / "sounds", seed=1)
    ours = write_videos(tmp_path / "ours", seed=1) if "out" in given else weights / "sounds"
    (tmp_path / "captions.csv").write_text("name,caption\n" + "".join(f"{name},a tone\n" for name in NAMES))
    assert run("score", ours, "--captions", tmp_path / "captions.csv", *given) == 1
    assert words in capsys.readouterr().err


def test_a_video_of_too_few_frames_is_refused(run, capsys, weights, tmp_path):
    ours = write_videos(tmp_path / "ours", seed=1, frames=12)
    assert run("score", ours, "--reference", ours, "--i3d", weights / "i3d.pt") == 1
    assert "FVD compares 16 frames of each video" in capsys.readouterr().err


def test_a_folder_for_av_benchmark(scored, tmp_path):
    ours, theirs = write_videos(tmp_path / "ours", seed=1, suffix=".mov"), write_sounds(tmp_path / "theirs", seed=2)
    (tmp_path / "captions.csv").write_text('name,caption\nclip0,"a tone, low"\nclip1,another\n')
    folder = tmp_path / "bench"
    _, printed = scored(ours, "--reference", theirs, "--captions", tmp_path / "captions.csv", "--av-benchmark", folder)
    for name in NAMES[:2]:
        written, rate = read_audio(folder / "reference" / f"{name}.wav")
        assert rate == RATE and torch.equal(written, read_audio(theirs / f"{name}.wav")[0])
        assert read_audio(folder / "generated" / f"{name}.wav")[0].shape[1] == 2 * RATE
        assert len(probe_video(folder / "videos" / f"{name}.mp4").frame_times) == FRAMES
    assert sorted(path.stem for path in (folder / "reference").iterdir()) == NAMES[:2]
    with (folder / "captions.csv").open(newline="") as table:
        assert [row["caption"] for row in csv.DictReader(table)] == ["a tone, low", "another"]
    cache = folder / "reference" / "cache"
    assert printed.count("--audio_length=1.2") == 2
    assert f"python extract_video.py --gt_cache {cache} --video_path {folder / 'videos'} --audio_length=1.2" in printed
    assert f"python extract_text.py --text_csv {folder / 'captions.csv'} --output_cache_path {cache}" in printed
    assert f"python evaluate.py --gt_audio {folder / 'reference'} --pred_audio {folder / 'generated'}" in printed
