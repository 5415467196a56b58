import torch
from comfy_api.latest import io

from ...aligner.generators.base import AudioModel
from ...aligner.parts import listening
from ...aligner.tensors.resampling import resampled
from ..host.latents import sound_latent
from ..host.managed_model import load_on_device
from ..host.memory import with_one_more_try
from ..host.progress import Parts
from ..inputs import AudioGeneratorType, Category, schema

#: Room for the encoder's activations over the seconds that it takes together.
ENCODER_BYTES = 2**30


class EncodeSound(io.ComfyNode):
    """A recording to a latent of AudioLDM."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingEncodeSound",
            display_name="Encode Sound",
            category=Category.LONG_FORM,
            description="Makes a latent of AudioLDM from a recording. The Guided Audio Sampler changes it with denoise "
            "below 1, or makes a part of it anew after Mask Seconds.",
            search_aliases=[
                "audio to latent",
                "vae encode audio",
                "sound to sound",
                "audio inpainting",
                "variation of a sound",
            ],
            inputs=[
                AudioGeneratorType.Input("audio_generator", tooltip="From Load AudioLDM. Use the one that samples."),
                io.Audio.Input(
                    "audio", tooltip="A sound of any rate. Its channels are averaged. A batch becomes variations."
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="For the Guided Audio Sampler, or for Mask Seconds.")
            ],
        )

    @classmethod
    def execute(cls, audio_generator, audio) -> io.NodeOutput:
        model: AudioModel = audio_generator.model
        sounds, rate = audio

        def encoded() -> torch.Tensor:
            load_on_device(audio_generator.patchers_of("vae"), memory_required=len(sounds) * ENCODER_BYTES)
            return model.encode(sounds)

        with listening(Parts()):
            sounds = resampled(sounds.mean(dim=1), rate, model.sample_rate)
            latent = with_one_more_try(encoded)
        return io.NodeOutput(sound_latent(latent, model, sounds.shape[1]))
