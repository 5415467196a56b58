"""ImageBind's towers: each turns the clips of one modality into points of the space that all three share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import AlignerError
from ...tensors.precision import full_precision
from .config import ImageBindConfig, TowerConfig
from .transformer import Block

IMAGE_SIDE = 224
CLIP_FRAMES = 2
PATCH_SIDE = 14
MEL_BINS = 128
MEL_FRAMES = 204
#: How many patches the towers cut their input into.
VISION_PATCHES, AUDIO_PATCHES = 16 * 16, 12 * 19
TEXT_LENGTH = 77
VOCABULARY = 49408
MAX_SCALE = 100.0


class Tower(nn.Module):
    """What the towers share: blocks, a norm and a projection into the common space.

    A tower is self-contained, so that it can be moved to a device alone. It computes in its own dtype
    (float32, float16 or bfloat16) and returns float32.
    """

    def __init__(self, config: TowerConfig, embed_dim: int, *, bias_token: bool = False, causal: bool = False):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, bias_token=bias_token, causal=causal) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.projection = nn.Linear(config.width, embed_dim, bias=False)

    @property
    def dtype(self) -> torch.dtype:
        return self.projection.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.projection.weight.device

    def _first_token(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, L, width) -> (N, width): the class token after all blocks."""
        *body, last = self.blocks
        for block in body:
            tokens = block(tokens)
        # Only the class token is read, so that the last block need not update the others.
        return last(tokens, rows=1)[:, 0]

    def _unit_embedding(self, features: torch.Tensor) -> torch.Tensor:
        """(N, width) -> (N, embed_dim) of length 1, float32 whatever the tower's dtype."""
        return F.normalize(full_precision(self.projection(self.norm(features))), dim=-1)


class VisionTower(Tower):
    """Pictures (T = 1) and clips (T = 2): normalised (N, 3, T, 224, 224) -> (N, embed_dim) of length 1.

    keep: (N, k) int64, the only patches of each that are looked at, of 256; None: all. A tower that was trained with
    patches dropped (arXiv 2212.00794) sees as much in a part of them, in less time.
    """

    def __init__(self, config: TowerConfig, embed_dim: int):
        super().__init__(config, embed_dim)
        tokens = 1 + VISION_PATCHES
        self.patch_weight = nn.Parameter(torch.empty(config.width, 3, CLIP_FRAMES, PATCH_SIDE, PATCH_SIDE))
        self.class_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.positions = nn.Parameter(torch.empty(1, tokens, config.width))
        self.pre_norm = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, clips: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        _require_shape("vision", clips, (3, (1, CLIP_FRAMES), IMAGE_SIDE, IMAGE_SIDE))
        # A picture is a clip in which nothing moves.
        clips = clips.to(self.dtype).expand(-1, -1, CLIP_FRAMES, -1, -1)
        patches = F.linear(_kept(_space_time_patches(clips), keep), self.patch_weight.flatten(1))
        tokens = _with_class_token(self.class_token, patches, self.positions, keep)
        return self._unit_embedding(self._first_token(self.pre_norm(tokens)))


class AudioTower(Tower):
    """Sounds of up to 2 s: normalised log-mel (N, 1, 128, 204) -> (N, embed_dim) of length exp(log_scale).

    keep: (N, k) int64, the only patches of each that are listened to, of 12 x 19; None: all.
    """

    def __init__(self, config: TowerConfig, embed_dim: int):
        super().__init__(config, embed_dim, bias_token=True)
        self.patches = nn.Conv2d(1, config.width, kernel_size=16, stride=10, bias=False)
        self.patch_norm = nn.LayerNorm(config.width, eps=1e-5)
        self.class_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.positions = nn.Parameter(torch.empty(1, 1 + AUDIO_PATCHES, config.width))
        self.log_scale = nn.Parameter(torch.empty(()))

    def forward(self, mel: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        _require_shape("audio", mel, (1, MEL_BINS, MEL_FRAMES))
        patches = _kept(self.patches(mel.to(self.dtype)).flatten(2).transpose(1, 2), keep)
        tokens = _with_class_token(self.class_token, self.patch_norm(patches), self.positions, keep)
        return _scale(self.log_scale) * self._unit_embedding(self._first_token(tokens))


class TextTower(Tower):
    """Texts: token ids (N, 77) -> (N, embed_dim) of length exp(log_scale), at most 100."""

    def __init__(self, config: TowerConfig, embed_dim: int):
        super().__init__(config, embed_dim, causal=True)
        self.token_embedding = nn.Embedding(VOCABULARY, config.width)
        self.positions = nn.Parameter(torch.empty(1, TEXT_LENGTH, config.width))
        self.log_scale = nn.Parameter(torch.empty(()))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        _require_shape("text", ids, (TEXT_LENGTH,))
        tokens = self.token_embedding(ids) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        # The end-of-text token has the highest id of the vocabulary, and it has seen all tokens before it.
        last_tokens = tokens[torch.arange(len(ids), device=ids.device), ids.argmax(dim=-1)]
        return _scale(self.log_scale) * self._unit_embedding(last_tokens)


class Towers(nn.Module):
    """The three towers `vision`, `text` and `audio`, in eval mode and frozen: gradients reach the input only.

    fingerprint: a digest of the weights, set by the code that fills them; "" before.
    """

    fingerprint: str = ""

    def __init__(self, config: ImageBindConfig):
        super().__init__()
        self.config = config
        self.vision = VisionTower(config.vision, config.embed_dim)
        self.text = TextTower(config.text, config.embed_dim)
        self.audio = AudioTower(config.audio, config.embed_dim)
        self.requires_grad_(False)
        self.eval()


def _space_time_patches(clips: torch.Tensor) -> torch.Tensor:
    """(N, 3, 2, 224, 224) -> (N, 256, 3 * 2 * 14 * 14): what a 3-d convolution sees at each place."""
    side = IMAGE_SIDE // PATCH_SIDE
    grid = clips.unflatten(4, (side, PATCH_SIDE)).unflatten(3, (side, PATCH_SIDE))
    return grid.permute(0, 3, 5, 1, 2, 4, 6).flatten(3).flatten(1, 2)


def _kept(patches: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    """(N or 1, L, width) -> (N, k, width): of each row the patches that `keep` (N, k) names; None: all."""
    if keep is None:
        return patches
    index = keep.to(patches.device).unsqueeze(-1).expand(-1, -1, patches.shape[2])
    return patches.expand(len(keep), -1, -1).gather(1, index)


def _with_class_token(
    class_token: torch.Tensor, patches: torch.Tensor, positions: torch.Tensor, keep: torch.Tensor | None
) -> torch.Tensor:
    """Add positions to the patches, and put the class token first."""
    first = (class_token + positions[:, :1]).expand(len(patches), -1, -1)
    return torch.cat([first, patches + _kept(positions[:, 1:], keep)], dim=1)


def _scale(log_scale: torch.Tensor) -> torch.Tensor:
    return full_precision(log_scale).exp().clamp(max=MAX_SCALE)


def _require_shape(tower: str, x: torch.Tensor, wanted: tuple) -> None:
    """wanted: the sizes after the batch dimension; a tuple lists alternatives."""
    choices = [want if isinstance(want, tuple) else (want,) for want in wanted]
    sizes = x.shape[1:]
    if len(sizes) != len(choices) or any(size not in choice for size, choice in zip(sizes, choices)):
        spelled = ", ".join(" or ".join(map(str, choice)) for choice in choices)
        raise AlignerError(f"The {tower} tower takes input of shape (N, {spelled}), not {tuple(x.shape)}.")
