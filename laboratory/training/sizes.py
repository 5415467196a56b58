"""Sizes of the demo models: the classes of the real ones at about a thousandth of their size."""

from __future__ import annotations

from aligner.binders.imagebind import ImageBindConfig, TowerConfig
from aligner.generators.mm_diffusion import CoupledUNetConfig

BINDER = ImageBindConfig(
    vision=TowerConfig(128, 3, 4), text=TowerConfig(24, 2, 2), audio=TowerConfig(128, 3, 4), embed_dim=96
)
#: The second binder has another shape than the one that guides.
SECOND_BINDER = ImageBindConfig(
    vision=TowerConfig(96, 2, 3), text=TowerConfig(4, 1, 1), audio=TowerConfig(96, 2, 3), embed_dim=64
)

IMAGE_VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (16, 32, 48, 64),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "sample_size": 64,
}
MEL_VAE = {
    "in_channels": 1,
    "out_channels": 1,
    "latent_channels": 8,
    "block_out_channels": (16, 32, 48, 64),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
VOCODER = {
    "model_in_dim": 64,
    "sampling_rate": 16000,
    "upsample_initial_channel": 128,
    "upsample_rates": [5, 4, 8],
    "upsample_kernel_sizes": [11, 8, 16],
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3], [1, 3]],
    "normalize_before": False,
}

CLAP_TEXT = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 130,
    "projection_dim": 128,
}
AUDIO_UNET = {
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (64, 96),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2,
    "norm_num_groups": 8,
    "attention_head_dim": 4,
    "cross_attention_dim": (64, 96),
    "sample_size": 25,
    "class_embed_type": "simple_projection",
    "class_embeddings_concat": True,
    "projection_class_embeddings_input_dim": 128,
}
AUDIO_SCHEDULE = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
}

CLIP_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
}
IMAGE_UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (48, 96),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2,
    "norm_num_groups": 8,
    "attention_head_dim": 4,
    "cross_attention_dim": 32,
}
MOTION = {
    "block_out_channels": (48, 96),
    "motion_layers_per_block": 1,
    "motion_num_attention_heads": 4,
    "motion_norm_num_groups": 8,
    "motion_max_seq_length": 32,
    "use_motion_mid_block": True,
}
#: The linear schedule of motion modules, also for pictures.
IMAGE_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
}

#: Half the size of the demo's videos, and about half the rate of its sounds. The judge names every real event at this
#: size and rate. Its rate lets sounds be quartered three times.
COUPLED = CoupledUNetConfig(
    frames=16,
    side=32,
    samples=16_384,
    fps=8,
    sample_rate=8_192,
    channels=16,
    multipliers=(1, 2, 4, 6),
    res_blocks=1,
    windows=(0, 0, 1, 4),
    heads=2,
    head_channels=16,
    norm_groups=4,
    prediction="velocity",
)
