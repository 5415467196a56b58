"""score: folders of small made files, to a table and JSON."""

import json
import re
import unicodedata

import pytest
import torch

from aligner.cli.observations import displayed_frames
from aligner.cli.result_folder import read_captions, read_results
from aligner.errors import AlignerError, MediaError
from aligner.media import write_audio, write_image, write_video
from aligner.metrics import av_align_of_clip

FPS, RATE = 8, 16000
MOMENTS = {"early": 0.5, "late": 1.0}


def frames_at(moment: float) -> torch.Tensor:
    """1.5 s of a textured square that jumps aside at a moment: (12, 48, 64, 3) uint8."""
    frames = torch.full((12, 48, 64, 3), 90, dtype=torch.uint8)
    texture = (255 * torch.rand(24, 24, 1, generator=torch.Generator().manual_seed(1))).to(torch.uint8)
    for number in range(12):
        left = 30 if number >= moment * FPS else 26
        frames[number, 12:36, left : left + 24] = texture
    return frames


def click_at(moment: float, pitch: float = 700) -> torch.Tensor:
    since = torch.arange(int(1.5 * RATE)) / RATE - moment
    return (0.6 * torch.sin(2 * torch.pi * pitch * since) * torch.exp(-since.clamp(min=0) / 0.05) * (since > 0))[None]


@pytest.fixture
def clips(tmp_path):
    """Two videos with their sounds."""
    for name, moment in MOMENTS.items():
        write_video(tmp_path / "clips" / f"{name}.mp4", frames_at(moment), FPS, click_at(moment), RATE)
    return tmp_path / "clips"


@pytest.fixture
def sounds(tmp_path):
    """Two other sounds under the same names."""
    for name, moment in MOMENTS.items():
        write_audio(tmp_path / "sounds" / f"{name}.wav", click_at(moment, pitch=1500), RATE)
    return tmp_path / "sounds"


@pytest.fixture
def captions(tmp_path):
    (tmp_path / "captions.csv").write_text('name,caption\nlate,"a square, late"\nearly,a square\nother,unused\n')
    return tmp_path / "captions.csv"


@pytest.fixture
def table(run, capsys):
    """A function that scores and returns the figures of the printed table, by name."""

    def scored(*arguments) -> dict[str, float]:
        assert run("score", *arguments) == 0
        rows = re.findall(r"^(\w.*?)  +([+-]\d+\.\d{4}) .*? (\d+)$", capsys.readouterr().out, flags=re.MULTILINE)
        return {name: float(value) for name, value, _ in rows}

    return scored


def test_videos_alone(table, clips):
    figures = table(clips)
    assert list(figures) == ["AV-Align matched", "AV-Align reference", "AV-Align published", "AV-bind"]
    assert figures["AV-Align matched"] == figures["AV-Align reference"] == 1


def test_against_themselves(table, clips, captions):
    figures = table(clips, "--reference", clips, "--captions", captions)
    assert list(figures) == [
        "AV-Align matched",
        "AV-Align reference",
        "AV-Align published",
        "AV-bind",
        "VT-bind",
        "AT-bind",
        *(f"cosine {one} ~ reference {other}" for one in ("video", "audio") for other in ("video", "audio")),
        *(f"{kind} (ImageBind {modality})" for modality in ("video", "audio") for kind in ("Frechet", "kernel")),
    ]
    assert figures["cosine video ~ reference video"] == figures["cosine audio ~ reference audio"] == 1
    assert figures["Frechet (ImageBind audio)"] == figures["Frechet (ImageBind video)"] == 0
    assert figures["cosine audio ~ reference video"] == figures["AV-bind"]


def test_sounds_against_the_videos_that_they_were_made_for(table, sounds, clips):
    figures = table(sounds, "--reference", clips)
    assert list(figures) == [
        "cosine audio ~ reference video",
        "cosine audio ~ reference audio",
        "Frechet (ImageBind audio)",
        "kernel (ImageBind audio)",
    ]
    assert figures["Frechet (ImageBind audio)"] > 0 and figures["cosine audio ~ reference audio"] < 1


def test_json_holds_the_figures_of_every_file_and_the_same_seed_gives_the_same(run, clips, sounds, tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        assert run("score", clips, "--reference", sounds, "--json", tmp_path / f"{name}.json", "--seed", seed) == 0
    one, two, other = ((tmp_path / f"{name}.json").read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    document = json.loads(one)
    measures = {measure["name"]: measure for measure in document["measures"]}
    bind = measures["AV-bind"]
    assert set(bind["each"]) == set(MOMENTS) and bind["files"] == 2
    assert bind["value"] == pytest.approx(sum(bind["each"].values()) / 2)
    assert bind["interval"][0] <= bind["value"] <= bind["interval"][1]
    assert measures["Frechet (ImageBind audio)"]["interval"] is None
    assert "by ImageBind, which guidance optimises" in bind["group"] and document["clips"] == "seconds"
    assert document["reference"] == str(sounds) and "too few" in document["notes"][0]


def test_a_sound_beside_a_video_is_the_one_that_counts(table, clips):
    write_audio(clips / "early.wav", click_at(1.25), RATE)
    assert table(clips)["AV-Align matched"] == 0.5
    result = read_results(clips)["early"]
    assert (result.video.name, result.sound.name) == ("early.mp4", "early.wav")


def test_pictures_are_results_only_where_nothing_else_has_their_name(table, sounds, tmp_path):
    for name in ("early", "picture", ".hidden"):
        write_image(sounds / f"{name}.png", torch.rand(3, 8, 8))
    (sounds / "notes.txt").touch()
    results = read_results(sounds)
    assert list(results) == ["early", "late", "picture"]
    assert results["early"].picture is None and results["picture"].picture.name == "picture.png"
    (tmp_path / "all.csv").write_text("name,caption\nearly,a\nlate,b\npicture,c\n")
    assert list(table(sounds, "--captions", tmp_path / "all.csv")) == ["IT-bind", "AT-bind"]


def test_one_file_has_no_distance_between_sets(run, clips, capsys):
    (clips / "late.mp4").unlink()
    assert run("score", clips, "--reference", clips) == 0
    printed = capsys.readouterr().out
    assert "No Frechet and kernel distance of audio: at least 2 files" in printed and "Frechet (" not in printed


def test_timing_is_the_metric_on_the_file_as_it_is(table, clips):
    from aligner.media import read_audio, read_frames

    (clips / "early.mp4").unlink()
    waveform, rate = read_audio(clips / "late.mp4")
    frames = read_frames(clips / "late.mp4", range(12)).permute(0, 3, 1, 2)
    assert table(clips)["AV-Align matched"] == av_align_of_clip(frames, FPS, waveform[0], rate).matched


def test_large_frames_are_looked_at_smaller(clips):
    late = read_results(clips)["late"]
    (frame, *_) = displayed_frames(late.video, late.info, shortest_side=24)
    assert (frame.shape, frame.dtype) == ((3, 24, 32), torch.uint8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "nowhere is not a folder"),
        (["empty"], "nothing to score in empty"),
        (["silent"], "nothing to be compared with"),
        (["clips", "--reference", "other"], "other has nothing of the same name.* as early, late"),
        (["clips", "--reference", "empty"], "nothing to score in empty"),
        (["twice"], "a.flac and a.wav share a name"),
        (["clips", "--captions", "few.csv"], "few.csv has nothing of the same name.* as early"),
        (["clips", "--captions", "wrong.csv"], "columns name and caption"),
        (["clips", "--captions", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["broken"], "broken.mp4 cannot be read"),
        (["clips", "--json", "out.txt"], "out.txt has a suffix"),
        (["clips", "--seed", "-1"], "--seed must be between"),
        (["clips", "--imagebind", "nowhere.pth"], "there is no nowhere.pth"),
    ],
)
def test_bad_input_ends_with_one_clear_line_and_no_file(refused, clips, tmp_path, arguments, message):
    write_audio(tmp_path / "twice" / "a.wav", click_at(0.5), RATE)
    write_audio(tmp_path / "twice" / "a.flac", click_at(0.5), RATE)
    write_audio(tmp_path / "other" / "a.wav", click_at(0.5), RATE)
    write_video(tmp_path / "silent" / "a.mp4", frames_at(0.5), FPS)
    (tmp_path / "empty" / "inside.mp4").mkdir(parents=True)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "few.csv").write_text("name,caption\nlate,a square\n")
    (tmp_path / "wrong.csv").write_text("file,text\nlate,a square\n")
    assert re.search(message, refused("score", *arguments))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_captions_are_separated_by_what_spreadsheets_use(tmp_path, separator, encoding):
    caption = f"a ball; it bounces, twice{separator}\u2028then rests"
    table = f'name{separator}caption\r\na{separator}"{caption}"\r\nb{separator}"two\nlines"\r\n'
    (tmp_path / "captions.csv").write_bytes(table.encode(encoding))
    assert read_captions(tmp_path / "captions.csv") == {"a": caption, "b": "two\nlines"}


def test_names_match_however_a_system_stores_accents(tmp_path):
    """macOS stores é as e and an accent; other systems as one letter."""
    one, two = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert one != two
    for folder, name in (("ours", two), ("theirs", one)):
        (tmp_path / folder).mkdir()
        write_audio(tmp_path / folder / f"{name}.wav", click_at(0.5), RATE)
    (tmp_path / "captions.csv").write_text(f"name,caption\n{two},a clip\n", encoding="utf-8")
    assert read_captions(tmp_path / "captions.csv") == {one: "a clip"}
    assert list(read_results(tmp_path / "theirs", read_results(tmp_path / "ours"))) == [one]
    write_audio(tmp_path / "theirs" / f"{two}.wav", click_at(0.5), RATE)
    with pytest.raises(AlignerError, match="share a name"):
        read_results(tmp_path / "theirs")


def test_captions_as_spreadsheets_write_them(tmp_path):
    (tmp_path / "captions.csv").write_text("id,name,caption\r\n1,a,Größe\r\n", encoding="utf-8-sig")
    assert read_captions(tmp_path / "captions.csv") == {"a": "Größe"}
    (tmp_path / "captions.csv").write_text("name,caption\na,one\na,two\n")
    with pytest.raises(MediaError, match="more than one caption for 'a'"):
        read_captions(tmp_path / "captions.csv")
    (tmp_path / "captions.csv").write_text("name,caption\na,\n")
    with pytest.raises(AlignerError, match="both in every other"):
        read_captions(tmp_path / "captions.csv")


def test_ctrl_c_while_writing_leaves_nothing_half_written(run, clips, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", interrupted)
    assert run("score", clips, "--json", tmp_path / "results" / "out.json") == 130
    assert not list((tmp_path / "results").iterdir())


def test_columns_may_be_named_in_capitals(tmp_path):
    (tmp_path / "captions.csv").write_text("Name, Caption\nclip,a ball\n")
    assert read_captions(tmp_path / "captions.csv") == {"clip": "a ball"}
