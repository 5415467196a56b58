"""Nodes that load a model and mask its latent."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from .latents import joined, streams_of
from .models import KINDS, conditioning_of, model_of


class NativeModel(io.ComfyNode):
    """A random model of a kind with all that a sampler needs. A sound model's decoder is `vae`, as core loads it.

    weights: seed of the network's weights. Decoders and prompts stay the same.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestNativeModel",
            inputs=[
                io.Combo.Input("kind", options=list(KINDS)),
                io.Int.Input("batch_size", default=1, min=1),
                io.Int.Input("weights", default=0, min=0),
            ],
            outputs=[
                io.Model.Output(),
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative"),
                io.Latent.Output(),
                io.Vae.Output(),
                io.Vae.Output(display_name="audio_vae"),
            ],
        )

    @classmethod
    def execute(cls, kind, batch_size, weights) -> io.NodeOutput:
        chosen = KINDS[kind]
        empty = joined([torch.zeros(batch_size, *shape) for shape in chosen.latents])
        return io.NodeOutput(
            model_of(chosen, weights),
            conditioning_of(chosen, seed=1),
            conditioning_of(chosen, seed=2),
            {"samples": empty, **chosen.latent},
            chosen.vae(3),
            chosen.audio_vae(4),
        )


class KeepStream(io.ComfyNode):
    """A joint latent with something in one stream, and a mask that keeps this stream."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestKeepStream",
            inputs=[io.Latent.Input("latent"), io.Combo.Input("stream", options=["0", "1"])],
            outputs=[io.Latent.Output()],
        )

    @classmethod
    def execute(cls, latent, stream) -> io.NodeOutput:
        streams = streams_of(latent["samples"])
        masks = [torch.ones_like(each[:, :1]) for each in streams]
        streams[int(stream)] = something_like(streams[int(stream)])
        masks[int(stream)].zero_()
        return io.NodeOutput(latent | {"samples": joined(streams), "noise_mask": joined(masks)})


class KeepHalf(io.ComfyNode):
    """A latent with something in it, and a mask that keeps the first half of the last dimension of every stream."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="TestKeepHalf", inputs=[io.Latent.Input("latent")], outputs=[io.Latent.Output()])

    @classmethod
    def execute(cls, latent) -> io.NodeOutput:
        streams = [something_like(each) for each in streams_of(latent["samples"])]
        masks = [torch.ones_like(each[:, :1]) for each in streams]
        for mask in masks:
            mask[..., : mask.shape[-1] // 2] = 0
        return io.NodeOutput(latent | {"samples": joined(streams), "noise_mask": joined(masks)})


def something_like(stream: torch.Tensor) -> torch.Tensor:
    return torch.randn(stream.shape, generator=torch.Generator().manual_seed(5))
