"""What measures: the judge, a second binder, moments of sound and motion; and, set apart, the binder that steered."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F

from aligner.binders.imagebind import ImageBind
from aligner.demo.judge import Judge, Verdict, verdict
from aligner.generators.signals import Frames, Signal, Sound, silences
from aligner.metrics import av_align_of_clip
from aligner.timing.clips import CLIP_SAMPLINGS

from ..world import FPS, SAMPLE_RATE


@dataclass(frozen=True)
class Instruments:
    """judge, second: see `aligner.demo.family`. binder: the one that steers."""

    judge: Judge
    second: ImageBind
    binder: ImageBind

    def measured(self, result: dict[str, Signal], wanted: list[str], given: Signal | None = None) -> list[dict]:
        """One row of figures for each sample of a batch.

        result: one generated stream and what it was made for, or two generated streams. wanted: each sample's event.
        given: the clips that the result was made for.

        judged: the event that the judge names, of the first generated stream. silent: whether a generated sound cannot
        be heard; the judge, who knows nothing but events, gives it a name all the same. right: whether that is the
        wanted one, or, of two generated streams, whether both are the same; never if silent. cosine: of the judge's
        features. second: of the second binder's embeddings. matched: AV-Align; None where there is no pair of sound and
        video. optimised: as second, by the binder that steered, over clips as in the released code.
        """
        mine, other = self._sides(result, given)
        verdicts = self.verdict(mine), self.verdict(other)
        judged, against = (verdict.names for verdict in verdicts)
        against = against if given is None else wanted
        silent = torch.stack([torch.zeros(len(wanted), dtype=torch.bool), *silences(result).values()]).any(0).tolist()
        cosine = F.cosine_similarity(verdicts[0].features, verdicts[1].features)
        second, optimised = (self._cosine(binder, mine, other) for binder in (self.second, self.binder))
        return [
            {
                "event": event,
                "judged": judged[k],
                "silent": silent[k],
                "right": judged[k] == against[k] and not silent[k],
                "cosine": cosine[k].item(),
                "second": second[k].item(),
                "matched": self._matched(mine, other, k),
                "optimised": optimised[k].item(),
                "features": verdicts[0].features[k].tolist(),
            }
            for k, event in enumerate(wanted)
        ]

    @staticmethod
    def _sides(result: dict[str, Signal], given: Signal | None) -> tuple[Signal, Signal]:
        first, *rest = result.values()
        return first, rest[0] if given is None else given

    def verdict(self, signal: Signal) -> Verdict:
        """What the judge says of a finished sound, video or picture."""
        return verdict(self.judge, signal)

    @staticmethod
    @torch.no_grad()
    def _cosine(binder: ImageBind, one: Signal, other: Signal) -> torch.Tensor:
        sampling = CLIP_SAMPLINGS["released"]
        return F.cosine_similarity(one.embed(binder, sampling).mean(), other.embed(binder, sampling).mean())

    @staticmethod
    def _matched(one: Signal, other: Signal, row: int) -> float | None:
        sound, video = (one, other) if isinstance(one, Sound) else (other, one)
        if video.pixels.shape[1] == 1:
            return None
        return av_align_of_clip(video.pixels[row], FPS, sound.waveform[row], SAMPLE_RATE).matched


def sound_of(waveforms: torch.Tensor) -> Sound:
    """Clips' sounds (B, n) as they would be rendered."""
    return Sound(waveforms, SAMPLE_RATE, waveforms.shape[1])


def video_of(frames: torch.Tensor) -> Frames:
    """Clips' frames (B, F, 3, H, W) as they would be rendered."""
    return Frames(frames, Fraction(FPS))
