"""The demo's AudioLDM as ComfyUI has models of sound: latents (B, channels, frames), which decode to 44.1 kHz."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import comfy.sd
import torch
import torch.nn.functional as F
from comfy import model_management
from comfy.latent_formats import LatentFormat
from comfy.model_base import BaseModel
from comfy.sd1_clip import SD1Tokenizer, SDTokenizer
from comfy.supported_models_base import BASE, ClipTarget
from torch import nn
from transformers import RobertaTokenizerFast

from ....aligner.demo.family import AUDIOLDM, load_demo_audioldm
from ....aligner.generators.audioldm import AudioLDM
from ....aligner.generators.ddim import predicted
from ....aligner.tensors.resampling import resampled
from .wrapping import WholePatcher, noise_schedule, prediction, vae_of

#: Of what the VAE decodes and encodes: the only rate that every version of ComfyUI knows.
SAMPLE_RATE = 44100
_TEXT = "clap"


def load_sound() -> tuple[WholePatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE. A latent is (B, 64, frames), with 12.5 frames per second."""
    source = load_demo_audioldm()
    return _model(source), _clip(source), _vae(source)


class Layout:
    """The layout of latents: (B, channels, frames, bins) in AudioLDM, (B, channels * bins, frames) in ComfyUI.

    width: channels * bins. frame: how many samples at 44.1 kHz a frame stands for.
    """

    def __init__(self, source: AudioLDM):
        self.channels, _, self.bins = source.latent_shape(1)
        self.width = self.channels * self.bins
        self.frame = source.compression * source.hop * SAMPLE_RATE // source.sample_rate

    def opened(self, latents: torch.Tensor) -> torch.Tensor:
        """ComfyUI's latents as AudioLDM has them."""
        return latents.unflatten(1, (self.channels, self.bins)).transpose(2, 3)

    def closed(self, latents: torch.Tensor) -> torch.Tensor:
        """AudioLDM's latents as ComfyUI has them."""
        return latents.transpose(2, 3).flatten(1, 2)


# MODEL


def _model(source: AudioLDM) -> WholePatcher:
    layout = Layout(source)
    config = BASE({})
    config.sampling_settings = noise_schedule(source.scheduler_config)
    config.latent_format = _Latents(layout)
    network = Network(source.unet, layout)
    return WholePatcher(
        BaseModel(config, prediction(source.scheduler_config), unet_model=lambda **choices: network),
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )


class _Latents(LatentFormat):
    """Latents as the VAE encodes them have the scale that the network wants."""

    latent_dimensions = 1

    def __init__(self, layout: Layout):
        self.latent_channels = layout.width
        # By it later versions of ComfyUI stretch what Empty Latent Audio makes to the same length in seconds.
        self.temporal_downscale_ratio = layout.frame


class Network(nn.Module):
    """AudioLDM's U-Net as ComfyUI calls a diffusion model."""

    def __init__(self, unet: Any, layout: Layout):
        super().__init__()
        self.unet, self.layout = unet, layout

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.dtype

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, context: torch.Tensor, **others: Any) -> torch.Tensor:
        """context: embeddings of texts (B, texts, 128). The network follows their mean."""
        output = predicted(
            self.unet,
            self.layout.opened(x),
            timesteps,
            encoder_hidden_states=None,
            class_labels=context.mean(dim=1),
        )
        return self.layout.closed(output)


# CLIP


def _clip(source: AudioLDM) -> comfy.sd.CLIP:
    words = partial(
        SDTokenizer,
        tokenizer_path=str(AUDIOLDM / "tokenizer"),
        tokenizer_class=RobertaTokenizerFast,
        max_length=source.tokenizer.model_max_length,
        pad_token=source.tokenizer.pad_token_id,
        embedding_key=_TEXT,
    )
    encoder = partial(TextEncoder, source.text_encoder, source.tokenizer.pad_token_id)
    # So small an encoder stays on the host.
    host = torch.device("cpu")
    return comfy.sd.CLIP(
        ClipTarget(partial(SD1Tokenizer, name=_TEXT, tokenizer=words), encoder),
        model_options={"load_device": host, "offload_device": host, "dtype": torch.float32},
    )


class TextEncoder(nn.Module):
    """CLAP's text encoder as ComfyUI calls one.

    network: ClapTextModelWithProjection. pad: the token that fills a text up.
    """

    dtypes = frozenset({torch.float32})
    #: Later versions of ComfyUI then leave its weights as they are.
    disable_offload = True

    def __init__(self, network: Any, pad: int, **choices: Any):
        super().__init__()
        self.network, self.pad = network, pad

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """Does nothing: AudioLDM has no choice of layers."""

    def reset_clip_options(self) -> None:
        """Does nothing."""

    def encode_token_weights(self, tokens: Mapping[str, Sequence]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of texts -> embeddings of unit length (1, texts, 128), and that of the first text (1, 128).

        A prompt of more than 128 tokens makes several texts. Weights of words have no effect.
        """
        ids = torch.tensor([[token for token, *_ in text] for text in tokens[_TEXT]])
        embeddings = F.normalize(self.network(ids, attention_mask=ids != self.pad).text_embeds, dim=-1)
        return embeddings[None], embeddings[:1]


# VAE


def _vae(source: AudioLDM) -> comfy.sd.VAE:
    layout = Layout(source)
    return vae_of(
        SoundAutoencoder(source, layout),
        ratio=layout.frame,
        channels=layout.width,
        dimensions=1,
        output_channels=1,
        audio_sample_rate=SAMPLE_RATE,
        process_input=lambda sound: sound,
        process_output=lambda sound: sound,
        crop_input=False,
    )


class SoundAutoencoder(nn.Module):
    """AudioLDM's VAE and vocoder with the methods of ComfyUI's autoencoders."""

    passes_gradients = True

    def __init__(self, source: AudioLDM, layout: Layout):
        super().__init__()
        self.vae, self.vocoder = source.vae, source.vocoder
        self._latents, self._spectrogram, self._waveform = source.encode, source.decode, source.vocode
        self._sample_rate, self._layout = source.sample_rate, layout

    def encode(self, sound: torch.Tensor) -> torch.Tensor:
        """Sound (B, channels, samples) at 44.1 kHz -> latents (B, 64, frames)."""
        return self._layout.closed(self._latents(resampled(sound.mean(dim=1), SAMPLE_RATE, self._sample_rate)))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents -> mono sound (B, 1, samples), differentiable."""
        waveform = self._waveform(self._spectrogram(self._layout.opened(latents)))
        sound = resampled(waveform, self._sample_rate, SAMPLE_RATE)
        return sound[:, None, : latents.shape[2] * self._layout.frame]
