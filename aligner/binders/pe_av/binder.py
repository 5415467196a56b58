"""PE-AV as a binder: how texts, pictures, frames and sounds reach its towers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ...parts import in_parts
from ...tensors.checkpointing import recomputed
from ...tensors.placement import device_of
from ...tensors.precision import dtype_of
from ...tensors.resampling import resampled
from ...timing.clips import ClipSampling, Cut, Span
from ..base import Embedding, in_seconds
from ..hearing import cut, heard_in_clips
from ..inputs import graph_only_for, on_device, require_pictures, require_sounds, require_texts
from .preprocessing import MEAN, SAMPLE_RATE, frames_input, sound_input
from .towers import AudioTower, JointTower, TextTower, VideoTower

#: What texts are compared with. Pictures are videos of one frame.
AUDIO, VIDEO, JOINT = "audio", "video", "joint"
#: Longer texts are cut, in tokens.
TEXT_LENGTH = 512
#: How many frames the network looks at together.
_FRAMES_AT_ONCE = 16
#: Frames a second that clips show, where the model takes any number.
_FRAME_RATE = 8


class PEAV(nn.Module):
    """PE-AV behind the protocol of binders (see `aligner.binders.base`).

    tokenizer: of transformers. side: of its frames in pixels. frames: how many frames each clip must show; None: any
    number. `load_pe_av` makes one that can be used.
    """

    identity = "PE-AV"
    fingerprint: str
    parts: Mapping[str, str] = {"text": "text", "image": "video", "video": "video", "audio": "audio"}
    mean_colour = (MEAN, MEAN, MEAN)

    def __init__(
        self,
        text: TextTower,
        audio: AudioTower,
        video: VideoTower,
        joint: JointTower,
        *,
        tokenizer: Any,
        side: int,
        frames: int | None = None,
    ):
        super().__init__()
        self.text, self.audio, self.video, self.joint = text, audio, video, joint
        self.tokenizer, self.side = tokenizer, side
        self.samplings: Mapping[str, ClipSampling] = _samplings(frames)

    def embed_text(self, texts: Sequence[str]) -> Embedding:
        """Embed B texts; what exceeds 512 tokens is ignored. Each modality is compared with a head of its own."""
        require_texts(texts)
        with graph_only_for(None):
            tokens = self.tokenizer(
                list(texts), padding=True, truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
            ).to(device_of(self.text))
            points = self.text(tokens["input_ids"], tokens["attention_mask"])
            clips = {name: point.unsqueeze(1) for name, point in points.items()}
            heads = {"audio": clips[AUDIO], "video": clips[VIDEO], "image": clips[VIDEO]}
            return Embedding(clips[JOINT], None, "text", self.fingerprint, heads)

    def embed_image(self, pixels: torch.Tensor) -> Embedding:
        require_pictures("pictures", pixels)
        with graph_only_for(pixels):
            seen = self._seen("pictures", pixels, torch.arange(len(pixels)))
            points = self.video(seen, torch.arange(len(seen), device=seen.device).unsqueeze(1))
            return Embedding(points.unsqueeze(1), None, "image", self.fingerprint)

    def embed_frames(
        self, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
    ) -> Embedding:
        require_pictures("frames", frames)
        with graph_only_for(frames):
            shown, clips = indices.to(frames.device).unique(return_inverse=True)
            seen = self._seen("frames", frames, shown)
            points = self.video(seen, clips.to(seen.device))
            return Embedding(points.unsqueeze(0), in_seconds(spans), "video", self.fingerprint)

    def embed_audio(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        sampling: ClipSampling,
        count: int | None = None,
        at_once: int | None = None,
    ) -> Embedding:
        require_sounds(waveform, sample_rate)
        with graph_only_for(waveform):
            waveform = resampled(waveform.to(device_of(self.audio)), sample_rate, SAMPLE_RATE)
            spans = sampling.audio.spans(waveform.shape[1] / SAMPLE_RATE, count)
            clips = heard_in_clips(self._heard, waveform, SAMPLE_RATE, spans, at_once)
            return Embedding(clips, in_seconds(spans), "audio", self.fingerprint)

    def embed_joint(self, frames: torch.Tensor, waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """A video (N, 3, H, W) and its mono sound (1, n) together: (1, D) of length 1.

        It is compared with the clips of a text. The gradient flows to both.
        """
        require_pictures("frames", frames)
        require_sounds(waveform, sample_rate)
        with graph_only_for(frames if frames.requires_grad else waveform):
            waveform = resampled(waveform.to(device_of(self.audio)), sample_rate, SAMPLE_RATE)
            seen = self._seen("frames", frames, torch.arange(len(frames)))
            whole = torch.arange(len(seen), device=seen.device).unsqueeze(0)
            return self.joint(self.audio.states(sound_input(waveform)), self.video.states(seen, whole))

    def blocks(self) -> list[nn.Module]:
        return [*self.audio.blocks, *self.video.blocks]

    def activation_bytes(self, modality: str, clips: int, sampling: ClipSampling, *, checkpointing: bool) -> int:
        """Bytes of activations kept for the gradient of so many clips, counted for the largest published size."""
        if modality == "audio":
            amount, bytes_each = clips * sampling.audio.seconds, _SECOND_BYTES
        else:
            shown = clips * sampling.frames_per_clip if modality == "video" else clips
            amount, bytes_each = float(min(shown, _FRAMES_AT_ONCE)), _FRAME_BYTES
        return int(amount * bytes_each[checkpointing] * dtype_of(self).itemsize // 4)

    def _seen(self, name: str, frames: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """Frames (N, 3, H, W) of these numbers, each once, as the tower sees them: (len(shown), C).

        A few at a time, of a long video once more in the backward pass, so that memory does not grow with it. name: of
        the frames in messages.
        """
        see = self._see if len(shown) <= _FRAMES_AT_ONCE else partial(recomputed, self._see)
        return torch.cat([see(name, frames[part]) for part in in_parts(shown.split(_FRAMES_AT_ONCE))])

    def _see(self, name: str, frames: torch.Tensor) -> torch.Tensor:
        # Frame by frame, so that only small ones are ever held in float32 together.
        device = device_of(self.video)
        inputs = [frames_input(on_device(name, frame[None], device), self.side) for frame in frames]
        return self.video.seen(torch.cat(inputs))

    def _heard(self, waveform: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
        """(B, n) at 48 kHz -> (B, S, D)."""
        clips = cut(waveform, SAMPLE_RATE, spans)
        return self.audio(sound_input(clips.flatten(0, 1))).unflatten(0, clips.shape[:2])


#: float32 activations of `large` that a backward pass needs, in bytes: all kept, and recomputed block by block (True).
#: Of a second of sound, and of a frame.
_SECOND_BYTES = {False: int(1.0 * 2**30), True: int(0.3 * 2**30)}
_FRAME_BYTES = {False: int(1.5 * 2**30), True: int(0.2 * 2**30)}


def _samplings(frames: int | None) -> dict[str, ClipSampling]:
    """Clips by the names that rules know, each as many frames as the model wants, in squares as it was trained."""
    cuts = {
        "seconds": (Cut(1.0, None), Cut(1.0, None)),
        "spread": (Cut(2.0, 5), Cut(2.0, 3)),
        "short": (Cut(0.5, None), Cut(0.5, None)),
    }
    return {
        name: ClipSampling(video, audio, frames or round(video.seconds * _FRAME_RATE), "squash")
        for name, (video, audio) in cuts.items()
    }
