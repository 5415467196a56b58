"""The instruments: the judge, a second binder, AV-Align, and, for comparison, the binder that guided."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F

from aligner.binders.base import Binder, sampling_of
from aligner.demo.judge import Judge, Verdict, verdict
from aligner.generators.signals import Frames, Signal, Sound, silences
from aligner.metrics import av_align_of_clip

from ..world import FPS, SAMPLE_RATE

#: How close the judge must find a result to its event to be sure. 95 % of the real clips of the development split come
#: as close after they have passed through the generators' decoders. Below it the result may be nothing of these.
SURE = {Sound: 0.79, Frames: 0.70}

#: A finished signal.
Finished = Sound | Frames


@dataclass(frozen=True)
class Instruments:
    """The models that measure.

    judge: classifies events. second: a binder that guidance never uses. binder: the one that guides.
    """

    judge: Judge
    second: Binder
    binder: Binder

    def measured(self, result: dict[str, Finished], wanted: list[str], given: Finished | None = None) -> list[dict]:
        """One row of figures for each sample of a batch.

        result: one generated stream, or two. wanted: each sample's event. given: the part of the clips that steered;
        None where two streams were generated.

        Each row holds: judged, the event of the first generated stream by the judge. silent, whether a generated sound
        is silent; the judge knows only events and names one all the same. right, whether judged is the wanted event,
        or, of two generated streams, whether the judge names the same event for both; False for a silent sample. sure,
        whether it is right and the judge is sure of every generated stream, see SURE.
        cosine, of the judge's features. second, of the second binder's embeddings. matched, AV-Align; None without a
        pair of sound and video. optimised, as second by the binder that guided, over the clips of the released code.
        """
        mine, other = self._sides(result, given)
        verdicts = self.verdict(mine), self.verdict(other)
        judged, against = (verdict.names for verdict in verdicts)
        against = against if given is None else wanted
        silent = torch.stack([torch.zeros(len(wanted), dtype=torch.bool), *silences(result).values()]).any(0).tolist()
        sure = torch.stack([self._sure(signal) for signal in result.values()]).all(0).tolist()
        cosine = F.cosine_similarity(verdicts[0].features, verdicts[1].features)
        second, optimised = (self._cosine(binder, mine, other) for binder in (self.second, self.binder))
        return [
            {
                "event": event,
                "judged": judged[k],
                "silent": silent[k],
                "right": judged[k] == against[k] and not silent[k],
                "sure": judged[k] == against[k] and not silent[k] and sure[k],
                "cosine": cosine[k].item(),
                "second": second[k].item(),
                "matched": self._matched(mine, other, k),
                "optimised": optimised[k].item(),
                "features": verdicts[0].features[k].tolist(),
            }
            for k, event in enumerate(wanted)
        ]

    @staticmethod
    def _sides(result: dict[str, Finished], given: Finished | None) -> tuple[Finished, Finished]:
        first, *rest = result.values()
        return first, rest[0] if given is None else given

    def verdict(self, signal: Finished) -> Verdict:
        """The judge's classification of a finished sound, video or picture."""
        return verdict(self.judge, signal)

    def _sure(self, signal: Finished) -> torch.Tensor:
        return self.verdict(signal).closeness >= SURE[type(signal)]

    @staticmethod
    @torch.no_grad()
    def _cosine(binder: Binder, one: Signal, other: Signal) -> torch.Tensor:
        sampling = sampling_of(binder, "seconds")
        return F.cosine_similarity(one.embed(binder, sampling).mean(), other.embed(binder, sampling).mean())

    @staticmethod
    def _matched(one: Finished, other: Finished, row: int) -> float | None:
        sound, video = (one, other) if isinstance(one, Sound) else (other, one)
        if video.pixels.shape[1] == 1:
            return None
        return av_align_of_clip(video.pixels[row], video.fps, sound.waveform[row], sound.sample_rate).matched


def sound_of(waveforms: torch.Tensor) -> Sound:
    """Sounds of clips (B, n) as a signal."""
    return Sound(waveforms, SAMPLE_RATE, waveforms.shape[1])


def video_of(frames: torch.Tensor) -> Frames:
    """Frames of clips (B, F, 3, H, W) as a signal."""
    return Frames(frames, Fraction(FPS))
