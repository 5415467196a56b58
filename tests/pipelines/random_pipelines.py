"""Small pipelines of diffusers: the real classes with random weights. Prompts are given as embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder

#: The width of every text embedding.
TEXT = 16
TOKENS = 6


@dataclass
class Example:
    """A pipeline and the arguments of a call. calls_per_step: how often a step calls its network."""

    pipeline: Any
    call: dict[str, Any]
    networks: tuple[str, ...] = ("transformer",)
    calls_per_step: int = 1
    settings: dict[str, Any] = field(default_factory=dict)


def drawn(make: Callable, seed: int, **sizes: Any) -> Any:
    """A network with random weights. The same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(**sizes).eval()


def embedding(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def autoencoder(**more: Any) -> Any:
    return drawn(
        diffusers.AutoencoderKL,
        1,
        latent_channels=4,
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        **more,
    )


def stable_diffusion_xl(scheduler: Any | None = None) -> Example:
    unet = drawn(
        diffusers.UNet2DConditionModel,
        0,
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT,
        attention_head_dim=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + TEXT,
    )
    pipeline = diffusers.StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=None,
        tokenizer_2=None,
        unet=unet,
        scheduler=scheduler or diffusers.EulerDiscreteScheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "negative_prompt_embeds": embedding(1, TOKENS, TEXT, seed=1),
        "pooled_prompt_embeds": embedding(1, TEXT),
        "negative_pooled_prompt_embeds": embedding(1, TEXT, seed=1),
        "height": 16,
        "width": 16,
        "num_inference_steps": 6,
    }
    return Example(pipeline, call, ("unet",))


def flux(scheduler: Any | None = None) -> Example:
    transformer = drawn(
        diffusers.FluxTransformer2DModel,
        0,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT,
        pooled_projection_dim=TEXT,
        axes_dims_rope=(4, 6, 6),
    )
    pipeline = diffusers.FluxPipeline(
        scheduler=scheduler or diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(shift_factor=0.1),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=transformer,
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "pooled_prompt_embeds": embedding(1, TEXT),
        "height": 16,
        "width": 16,
        "num_inference_steps": 6,
    }
    return Example(pipeline, call)


def ltx() -> Example:
    """It calls its network once for prompt and negative prompt."""
    transformer = drawn(
        diffusers.LTXVideoTransformer3DModel,
        0,
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=TEXT,
    )
    vae = drawn(
        diffusers.AutoencoderKLLTXVideo,
        1,
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        patch_size=1,
    )
    pipeline = diffusers.LTXPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=None,
        tokenizer=None,
        transformer=transformer,
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "prompt_attention_mask": torch.ones(1, TOKENS, dtype=torch.int64),
        "negative_prompt_embeds": embedding(1, TOKENS, TEXT, seed=1),
        "negative_prompt_attention_mask": torch.ones(1, TOKENS, dtype=torch.int64),
        "height": 32,
        "width": 32,
        "num_frames": 17,
        "frame_rate": 8,
        "num_inference_steps": 6,
    }
    return Example(pipeline, call)


def wan() -> Example:
    """Two experts, and a call for the prompt and one for the negative prompt."""
    experts = [
        drawn(
            diffusers.WanTransformer3DModel,
            seed,
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=16,
            out_channels=16,
            text_dim=TEXT,
            freq_dim=16,
            ffn_dim=16,
            num_layers=1,
            rope_max_seq_len=32,
        )
        for seed in (0, 2)
    ]
    pipeline = diffusers.WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=drawn(diffusers.AutoencoderKLWan, 1, base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        transformer=experts[0],
        transformer_2=experts[1],
        boundary_ratio=0.8,
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "negative_prompt_embeds": embedding(1, TOKENS, TEXT, seed=1),
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "num_inference_steps": 6,
    }
    return Example(pipeline, call, ("transformer", "transformer_2"), 2, {"fps": 8})


def stable_audio(scheduler: Any | None = None) -> Example:
    from diffusers.pipelines.stable_audio import StableAudioProjectionModel

    transformer = drawn(
        diffusers.StableAudioDiTModel,
        0,
        sample_size=64,
        in_channels=8,
        out_channels=8,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        num_key_value_attention_heads=2,
        cross_attention_dim=TEXT,
        cross_attention_input_dim=TEXT,
        global_states_input_dim=2 * TEXT,
        time_proj_dim=8,
    )
    vae = drawn(
        diffusers.AutoencoderOobleck,
        1,
        encoder_hidden_size=8,
        downsampling_ratios=[4, 8, 8],
        channel_multiples=[1, 2, 2],
        decoder_channels=8,
        decoder_input_channels=8,
        sampling_rate=8000,
    )
    pipeline = diffusers.StableAudioPipeline(
        vae=vae,
        text_encoder=None,
        projection_model=drawn(
            StableAudioProjectionModel, 2, text_encoder_dim=TEXT, conditioning_dim=TEXT, min_value=0, max_value=16
        ),
        tokenizer=None,
        transformer=transformer,
        scheduler=scheduler or diffusers.CosineDPMSolverMultistepScheduler(solver_order=2),
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "negative_prompt_embeds": embedding(1, TOKENS, TEXT, seed=1),
        "num_inference_steps": 6,
        "audio_end_in_s": 2.0,
    }
    return Example(pipeline, call)


def ltx2() -> Example:
    """A joint pipeline: frames and sound from one network and two schedules."""
    transformer = drawn(
        diffusers.LTX2VideoTransformer3DModel,
        0,
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=1,
        caption_channels=TEXT,
        rope_type="split",
    )
    vae = drawn(
        diffusers.AutoencoderKLLTX2Video,
        1,
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        patch_size=1,
        spatial_compression_ratio=8,
        temporal_compression_ratio=8,
    )
    audio_vae = drawn(
        diffusers.AutoencoderKLLTX2Audio,
        2,
        base_channels=4,
        ch_mult=(1,),
        num_res_blocks=1,
        latent_channels=2,
        mel_bins=8,
    )
    vocoder = drawn(
        LTX2Vocoder,
        3,
        in_channels=16,
        hidden_channels=16,
        upsample_kernel_sizes=[16, 20],
        upsample_factors=[8, 10],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3]],
        output_sampling_rate=8000,
    )
    connectors = drawn(
        LTX2TextConnectors,
        4,
        caption_channels=TEXT,
        text_proj_in_factor=1,
        video_connector_num_attention_heads=2,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=2,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None,
        rope_type="split",
    )
    pipeline = diffusers.LTX2Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        audio_vae=audio_vae,
        text_encoder=None,
        tokenizer=None,
        connectors=connectors,
        transformer=transformer,
        vocoder=vocoder,
    )
    call = {
        "prompt_embeds": embedding(1, TOKENS, TEXT),
        "prompt_attention_mask": torch.ones(1, TOKENS, dtype=torch.int64),
        "negative_prompt_embeds": embedding(1, TOKENS, TEXT, seed=1),
        "negative_prompt_attention_mask": torch.ones(1, TOKENS, dtype=torch.int64),
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "frame_rate": 8.0,
        "num_inference_steps": 6,
        "use_cross_timestep": False,
        "spatio_temporal_guidance_blocks": [0],
    }
    return Example(pipeline, call, calls_per_step=3)
