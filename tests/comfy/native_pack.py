"""Native models of ComfyUI with random weights, and nodes that show what a sampler did.

The models are core's own classes at small sizes. The tests copy this file into the custom_nodes of their server. It
imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import comfy.ldm.audio.embedders
import comfy.ldm.flux.model
import comfy.ldm.lightricks.vae.causal_video_autoencoder
import comfy.ldm.modules.diffusionmodules.model
import comfy.ldm.wan.vae
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL, AutoencodingEngine
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import ComfyExtension, io, ui

try:
    from comfy.ldm.lightricks.vae.audio_vae import AudioVAE
    from comfy.nested_tensor import NestedTensor
except ImportError:  # this ComfyUI has no joint models
    AudioVAE = NestedTensor = None

#: Tokens of a prompt, and the width of a token's embedding. Stable Audio's width is fixed in core.
TOKENS, WIDTH, STABLE_AUDIO_WIDTH = 4, 16, 768


# Weights


def randomised(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give layers random weights that keep the scale of what passes. The global generator stays as it is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            part = name.rpartition(".")[2]
            if part == "gamma" or (weight.ndim == 1 and part in ("weight", "scale")):
                weight.fill_(1)  # of a norm
            elif part in ("bias", "alpha", "beta"):  # the last two are logarithms
                weight.zero_()
            elif part == "original0":  # the norm of a weight; below 1, because Oobleck adds up many layers
                weight.fill_(0.7)
            else:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
        for name, buffer in module.named_buffers():
            for ending, values in LEFT_EMPTY.items():
                if name.endswith(ending):
                    buffer.copy_(values(len(buffer)))
    return module


#: The ends of names of buffers that core leaves empty for a file to fill, and what fills a length here.
LEFT_EMPTY = {
    "std-of-means": torch.ones,
    "mean-of-means": torch.zeros,
    "rotary_pos_emb.inv_freq": lambda length: torch.logspace(0, -4, length),
}


# VAEs


def loaded(first_stage: torch.nn.Module, seed: int, config: dict[str, Any] | None = None) -> comfy.sd.VAE:
    """What core makes of a file with random weights of this module. `config` is the file's metadata."""
    metadata = None if config is None else {"config": json.dumps(config)}
    return comfy.sd.VAE(sd=randomised(first_stage, seed).state_dict(), metadata=metadata)


@contextmanager
def smaller(module: ModuleType, *names: str, **sizes: Any) -> Iterator[None]:
    """Build classes of a module with other sizes than core chooses. Core then sets up its VAE around them as usual."""
    full = {name: getattr(module, name) for name in names}
    for name, made in full.items():
        setattr(module, name, lambda made=made, **config: made(**config | sizes))
    try:
        yield
    finally:
        for name, made in full.items():
            setattr(module, name, made)


SMALL_KL = {"ch": 32, "num_res_blocks": 1}
SMALL_WAN = {"dim": 8, "num_res_blocks": 1}
SMALL_OOBLECK = {"channels": 4}


def kl_config(channels: int) -> dict[str, Any]:
    """What is left to choose of an AutoencoderKL: core's values, with so many channels of the latent."""
    return {
        "double_z": True,
        "z_channels": channels,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch_mult": [1, 2, 4, 4],
        "attn_resolutions": [],
        "dropout": 0.0,
    }


def stable_diffusion_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.ldm.modules.diffusionmodules.model, "Encoder", "Decoder", **SMALL_KL):
        return loaded(AutoencoderKL(ddconfig=kl_config(4), embed_dim=4), seed)


def flux_vae(seed: int) -> comfy.sd.VAE:
    """An AutoencoderKL without the convolutions around the latent."""
    target, config = "comfy.ldm.modules.diffusionmodules.model", kl_config(16)
    with smaller(comfy.ldm.modules.diffusionmodules.model, "Encoder", "Decoder", **SMALL_KL):
        engine = AutoencodingEngine(
            regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
            encoder_config={"target": f"{target}.Encoder", "params": config},
            decoder_config={"target": f"{target}.Decoder", "params": config},
        )
        return loaded(engine, seed)


def wan_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.ldm.wan.vae, "WanVAE", **SMALL_WAN):
        return loaded(comfy.ldm.wan.vae.WanVAE(z_dim=16, temperal_downsample=[False, True, True]), seed)


def stable_audio_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.sd, "AudioOobleckVAE", **SMALL_OOBLECK):
        return loaded(comfy.sd.AudioOobleckVAE(), seed)


def ace_step_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.sd, "AudioOobleckVAE", **SMALL_OOBLECK):
        return loaded(comfy.sd.AudioOobleckVAE(strides=[2, 4, 4, 6, 10]), seed)


def ltx_video_vae(seed: int) -> comfy.sd.VAE:
    up = ["compress_all", {"residual": True, "multiplier": 2}]
    config = {
        "dims": 3,
        "latent_channels": 128,
        "encoder_blocks": [["res_x", 1], *3 * [["compress_all_res", {"multiplier": 2}]]],
        "decoder_blocks": [["res_x", 1], up, up, up, ["res_x", 1]],
        "encoder_base_channels": 8,
        "decoder_base_channels": 8,
        "norm_layer": "pixel_norm",
        "patch_size": 4,
        "latent_log_var": "uniform",
    }
    video_vae = comfy.ldm.lightricks.vae.causal_video_autoencoder.VideoVAE(config=config)
    return loaded(video_vae, seed, {"vae": config})


def ltx_audio_vae(seed: int) -> comfy.sd.VAE:
    """Sound at 24 kHz from latents of 25 per second."""
    spectrogram = {
        "double_z": True,
        "mel_bins": 64,
        "z_channels": 8,
        "resolution": 256,
        "in_channels": 2,
        "out_ch": 2,
        "ch": 8,
        "ch_mult": [1, 2, 4],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "mid_block_add_attention": False,
        "norm_type": "pixel",
        "causality_axis": "height",
    }
    config = {
        "audio_vae": {
            "model": {"params": {"ddconfig": spectrogram, "sampling_rate": 16000}},
            "preprocessing": {"stft": {"filter_length": 1024, "hop_length": 160}},
        },
        "vocoder": {
            "upsample_rates": [16, 15],
            "upsample_kernel_sizes": [32, 31],
            "upsample_initial_channel": 32,
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 3, 5]],
        },
    }
    return loaded(AudioVAE(metadata={"config": config}), seed, config)


# Models


@dataclass(frozen=True)
class Kind:
    """A model and what goes with it.

    Attributes:
        config: the class in comfy.supported_models.
        network: the sizes of the network.
        latents: the shape of each stream without the batch.
        vae, audio_vae: make the decoders from a seed.
        width: of a token's embedding.
        also: further conditionings, their shapes without the batch.
        weights: make what core's class asks of a checkpoint.
        latent: further entries of a latent, as core's nodes for empty latents add them.
    """

    config: str
    network: dict[str, Any]
    latents: tuple[tuple[int, ...], ...]
    vae: Callable[[int], comfy.sd.VAE]
    audio_vae: Callable[[int], comfy.sd.VAE | None] = lambda seed: None
    width: int = WIDTH
    also: dict[str, tuple[int, ...]] = field(default_factory=dict)
    weights: Callable[[], dict[str, torch.Tensor]] = dict
    latent: dict[str, Any] = field(default_factory=dict)


def seconds_embedders() -> dict[str, torch.Tensor]:
    embedder = comfy.ldm.audio.embedders.NumberConditioner(STABLE_AUDIO_WIDTH).state_dict()
    names = ("conditioner.conditioners.seconds_start.", "conditioner.conditioners.seconds_total.")
    return {name + key: weight for name in names for key, weight in embedder.items()}


STABLE_DIFFUSION = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "context_dim": WIDTH,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "use_temporal_attention": False,
    "adm_in_channels": None,
    "legacy": False,
}
FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": WIDTH,
    "context_in_dim": WIDTH,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 4,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
}
if "txt_ids_dims" in comfy.ldm.flux.model.FluxParams.__annotations__:
    FLUX["txt_ids_dims"] = []
WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 48,
    "ffn_dim": 96,
    "freq_dim": 32,
    "text_dim": WIDTH,
    "num_heads": 4,
    "num_layers": 2,
}
LTXAV = {
    "image_model": "ltxav",
    "num_layers": 2,
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "cross_attention_dim": 64,
    "audio_num_attention_heads": 4,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 32,
    "caption_channels": WIDTH,
    "connector_num_layers": 1,
    "connector_num_attention_heads": 2,
    "connector_attention_head_dim": 8,
}
ACE_STEP_15 = {
    "audio_model": "ace1.5",
    "hidden_size": 64,
    "text_hidden_dim": WIDTH,
    "num_dit_layers": 2,
    "num_lyric_layers": 1,
    "num_timbre_layers": 1,
    "num_tokenizer_layers": 1,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 32,
    "intermediate_size": 64,
    "fsq_dim": 64,
    "encoder_hidden_size": 64,
    "encoder_intermediate_size": 64,
    "encoder_num_heads": 2,
}
STABLE_AUDIO = {"audio_model": "dit1.0", "embed_dim": 64, "depth": 2, "num_heads": 1, "project_cond_tokens": True}

#: The kinds that this ComfyUI has. Latents decode to 64 x 64 pixels: one picture, 9 frames (wan) or 17 frames (ltxav);
#: to a second of sound (ace15, stable_audio) or as much as 17 frames at 25 per second take (ltxav).
KINDS = {
    name: kind
    for name, kind in {
        "sd15": Kind("SD15", STABLE_DIFFUSION, ((4, 8, 8),), stable_diffusion_vae),
        "flux": Kind("Flux", FLUX, ((16, 8, 8),), flux_vae, also={"pooled_output": (WIDTH,)}),
        "wan": Kind("WAN21_T2V", WAN, ((16, 3, 8, 8),), wan_vae),
        "ltxav": Kind(
            "LTXAV",
            LTXAV,
            ((128, 3, 2, 2), (8, 17, 16)),
            ltx_video_vae,
            ltx_audio_vae,
            width=2 * WIDTH,
            latent={"type": "audio"},  # so says core's node that joins the two streams
        ),
        "ace15": Kind(
            "ACEStep15",
            ACE_STEP_15,
            ((64, 25),),
            ace_step_vae,
            also={"conditioning_lyrics": (TOKENS, WIDTH)},
            latent={"type": "audio"},
        ),
        "stable_audio": Kind(
            "StableAudio",
            STABLE_AUDIO,
            ((64, 22),),
            stable_audio_vae,
            width=STABLE_AUDIO_WIDTH,
            weights=seconds_embedders,
            latent={"type": "audio"},
        ),
    }.items()
    if hasattr(comfy.supported_models, kind.config)
}


def model_of(kind: Kind, seed: int) -> comfy.model_patcher.ModelPatcher:
    """The model as core's loaders make it, with random weights."""
    management = comfy.model_management
    config = getattr(comfy.supported_models, kind.config)(kind.network)
    device, supported = management.get_torch_device(), config.supported_inference_dtypes
    dtype = management.unet_dtype(supported_dtypes=supported)
    config.set_inference_dtype(dtype, management.unet_manual_cast(dtype, device, supported))
    model = randomised(config.get_model(kind.weights()), seed)
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(model, load_device=device, offload_device=management.unet_offload_device())


def conditioning_of(kind: Kind, seed: int) -> list[list[Any]]:
    """A prompt as text encoders give it: embeddings (1, TOKENS, width) and what else the model asks for."""
    generator = torch.Generator().manual_seed(seed)
    also = {name: torch.randn(1, *shape, generator=generator) for name, shape in kind.also.items()}
    return [[torch.randn(1, TOKENS, kind.width, generator=generator), also]]


def joined(streams: list[torch.Tensor]) -> Any:
    """One tensor, or several nested ones."""
    return streams[0] if len(streams) == 1 else NestedTensor(streams)


def streams_of(samples: Any) -> list[torch.Tensor]:
    return list(samples.unbind()) if samples.is_nested else [samples]


# Nodes


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


def kept_of(latent: dict[str, Any]) -> list[torch.Tensor]:
    """What the mask of a latent keeps: values (n,) by stream. A stream is left out where the mask keeps nothing."""
    pairs = zip(streams_of(latent["samples"]), streams_of(latent["noise_mask"]))
    kept = [stream[mask.expand_as(stream) == 0] for stream, mask in pairs]
    return [values for values in kept if len(values)]


class Fingerprint(io.ComfyNode):
    """Shows what a latent, a picture or a sound is as JSON: SHA-256 of its bytes; shape, mean and deviation of each
    stream.

    kept: only what the latent's mask keeps.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestFingerprint",
            inputs=[
                io.Latent.Input("samples", optional=True),
                io.Image.Input("image", optional=True),
                io.Audio.Input("audio", optional=True),
                io.Boolean.Input("kept", default=False),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, kept, samples=None, image=None, audio=None) -> io.NodeOutput:
        streams = [] if samples is None else kept_of(samples) if kept else streams_of(samples["samples"])
        streams += [] if image is None else [image]
        streams += [] if audio is None else [audio["waveform"]]
        digest = hashlib.sha256()
        for stream in streams:
            digest.update(stream.cpu().contiguous().numpy().tobytes())
        shown = {
            "sha256": digest.hexdigest(),
            "shapes": [list(stream.shape) for stream in streams],
            "means": [stream.mean().item() for stream in streams],
            "deviations": [stream.std().item() for stream in streams],
        }
        return io.NodeOutput(ui=ui.PreviewText(json.dumps(shown)))


#: The calls and rows of every counted model, by its name. See CountingModel.
counted: dict[str, dict[str, int]] = {}


class CountingModel(io.ComfyNode):
    """A model that counts its evaluations. It is never cached, so that a prompt that runs again samples again.

    A call is one call of core's `apply_model`. It takes the positive and the negative prompt together where memory
    allows. A row is one latent of the batch with one of these prompts.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestCountingModel",
            inputs=[io.Model.Input("model"), io.String.Input("name", default="model")],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs):
        return float("nan")  # equals nothing

    @classmethod
    def execute(cls, model, name) -> io.NodeOutput:
        counted[name] = {"calls": 0, "rows": 0}

        def counting(executor, x, *inputs, **conditions):
            counted[name]["calls"] += 1
            counted[name]["rows"] += len(x)
            return executor(x, *inputs, **conditions)

        counting_model = model.clone()
        counting_model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test_count", counting)
        return io.NodeOutput(counting_model)


class Count(io.ComfyNode):
    """Shows the calls and rows of a counted model as JSON, and starts again from 0.

    It runs after its latent is made, and hands it on: what takes the latent from here counts anew.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestCount",
            inputs=[io.Latent.Input("samples"), io.String.Input("name", default="model")],
            outputs=[io.Latent.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, samples, name) -> io.NodeOutput:
        shown = json.dumps(counted[name])
        counted[name] = {"calls": 0, "rows": 0}
        return io.NodeOutput(samples, ui=ui.PreviewText(shown))


class NativePack(ComfyExtension):
    async def get_node_list(self):
        return [NativeModel, KeepStream, KeepHalf, Fingerprint, CountingModel, Count]


async def comfy_entrypoint() -> ComfyExtension:
    return NativePack()
