from comfy_api.latest import io

from ...aligner.demo.family import load_demo_audioldm
from ...aligner.generators.audioldm import load_audioldm
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import DEMO, audioldm_names, audioldm_path
from ..inputs import AudioGeneratorType, Category, folded, precision_input, schema


class LoadAudioLDM(io.ComfyNode):
    """A folder name to a sound generator."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadAudioLDM",
            display_name="Load AudioLDM",
            category=Category.LOADERS,
            description="Loads AudioLDM, which makes sound from words. Put a published folder (audioldm-s-full-v2, "
            "audioldm-m-full, audioldm-l-full) into models/audioldm. Its weights have the licence CC BY-NC-SA 4.0: "
            "non-commercial use only. The built-in demo model is a toy: it knows eight sounds, such as the thud of a "
            "ball.",
            search_aliases=["audioldm", "sound model", "audio model", "sfx model", "text to audio"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=audioldm_names(),
                    tooltip="A folder from models/audioldm, or the built-in toy.",
                ),
                *folded(precision_input()),
            ],
            outputs=[
                AudioGeneratorType.Output(
                    display_name="audio_generator",
                    tooltip="For the Guided Audio Sampler and the Guided Joint Sampler.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model=DEMO, **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return () if model == DEMO else versions(audioldm_path(model))

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        dtype = resolve_dtype(precision)
        if model == DEMO:
            return io.NodeOutput(shared(load_demo_audioldm, dtype=dtype))
        return io.NodeOutput(shared(load_audioldm, audioldm_path(model), dtype=dtype))
