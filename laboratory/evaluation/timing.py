"""When things happen: judges of timing that share no code with what guidance compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
import torch.nn.functional as F

from aligner.demo.events import EVENTS
from aligner.generators.signals import Frames
from aligner.metrics import audio_onsets, av_align, video_peaks

from ..world import FPS, SAMPLE_RATE, Clip, clip, scene
from .instruments import Finished

#: Seconds of level that are measured together, and of quiet before a beginning.
_PART, _QUIET = 0.01, 0.06
#: Decibels below the loudest part, and of full scale, that count as quiet.
_BELOW_LOUDEST, _QUIETEST = 20.0, -55.0
#: Seconds by which a beginning may miss an event.
TOLERANCE = 0.1
#: What a row holds.
FIGURES = ("matched_lead", "onsets", "onsets_lead")
#: How many other clips of the same event a result is held against.
OTHERS = 4


def beginnings(waveform: torch.Tensor, sample_rate: int) -> list[float]:
    """The times in seconds at which a sound (n,) becomes loud after quiet, ascending. None in silence."""
    powers = F.avg_pool1d(waveform.square()[None, None], round(_PART * sample_rate)).flatten()
    decibels = 10 * powers.clamp(min=1e-12).log10()
    loud = (decibels > max(decibels.max().item() - _BELOW_LOUDEST, _QUIETEST)).nonzero()[:, 0].tolist()
    before = [-round(1 / _PART), *loud[:-1]]
    return [one * _PART for one, last in zip(loud, before) if (one - last) * _PART > _QUIET]


def onset_f1(found: Sequence[float], events: Sequence[float]) -> float:
    """F1 of beginnings against the true times of events, both ascending: 2 hits / (found + events), in 0..1.

    A hit is a pair that is at most TOLERANCE apart; each time is in one pair at most.
    """
    # AV-Align's matching within TOLERANCE in place of a frame. The clock has 10 ms, and rounding must not decide.
    over_union = av_align(found, events, 1 / (TOLERANCE + 1e-6)).matched
    return 2 * over_union / (1 + over_union)


def timing_rows(
    result: Mapping[str, Finished], part: str, split: str, indices: Sequence[int], clips: Sequence[Clip]
) -> list[dict]:
    """For each sample of a stream that follows a sound or a video, what is known of its timing.

    part: of the clips, which steers. matched_lead: by how much AV-Align with the clip exceeds the mean of AV-Align with
    other clips of the same event. onsets: `onset_f1` of a generated sound against the events of its clip. onsets_lead:
    the same lead. All are None where they mean nothing: for pictures, and for streams that are made together. Rows of
    those hold the moments of both, for `with_pair_leads`.
    """
    signal = next(iter(result.values()))
    if len(result) > 1:
        return [_moments(result, k) for k in range(len(clips))]
    if part not in ("audio", "video") or (isinstance(signal, Frames) and signal.pixels.shape[1] == 1):
        return [dict.fromkeys(FIGURES) for _ in clips]
    return [_row(signal, k, each, _others(split, index)) for k, (index, each) in enumerate(zip(indices, clips))]


def with_pair_leads(rows: Sequence[dict]) -> list[dict]:
    """Rows of streams that were made together, with matched_lead: by how much AV-Align of a video and its sound exceeds
    the mean of AV-Align of that video and the sounds of the other rows of the same event.

    Where no other row shows the event it is None.
    """
    return [{**row, "matched_lead": _pair_lead(row, rows)} for row in rows]


def _pair_lead(row: Mapping, rows: Sequence[Mapping]) -> float | None:
    others = [each for each in rows if each["judged"] == row["judged"] and each is not row]
    if not others:
        return None
    own, *elsewhere = (av_align(each["heard_at"], row["seen_at"], FPS).matched for each in (row, *others))
    return own - fmean(elsewhere)


def _moments(result: Mapping[str, Finished], k: int) -> dict:
    video, sound = result["video"], result["audio"]
    moments = {
        "seen_at": list(map(float, video_peaks(video.pixels[k], video.fps))),
        "heard_at": list(map(float, audio_onsets(sound.waveform[k], sound.sample_rate))),
    }
    return {**dict.fromkeys(FIGURES), **moments}


def _others(split: str, index: int) -> list[Clip]:
    """Other clips of the same event, which take turns."""
    return [clip(scene(split, index + k * len(EVENTS))) for k in range(1, OTHERS + 1)]


def _row(signal: Finished, k: int, own: Clip, others: Sequence[Clip]) -> dict:
    if isinstance(signal, Frames):
        seen = video_peaks(signal.pixels[k], signal.fps)
        matched, *shuffled = (
            av_align(audio_onsets(each.waveform, SAMPLE_RATE), seen, signal.fps).matched for each in (own, *others)
        )
        return {"matched_lead": matched - fmean(shuffled), "onsets": None, "onsets_lead": None}
    waveform, rate = signal.waveform[k], signal.sample_rate
    heard, begun = audio_onsets(waveform, rate), beginnings(waveform, rate)
    matched, *shuffled = (av_align(heard, video_peaks(each.frames, FPS), FPS).matched for each in (own, *others))
    onsets, *elsewhere = (onset_f1(begun, each.scene.times) for each in (own, *others))
    return {
        "matched_lead": matched - fmean(shuffled),
        "onsets": onsets,
        "onsets_lead": onsets - fmean(elsewhere),
    }
