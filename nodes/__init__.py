"""ComfyUI nodes: one class per job, each of which only converts, resolves and reports. The work is in `aligner`."""

from comfy_api.latest import ComfyExtension

from .alignment_score import AlignmentScore
from .audioldm_sampler import GuidedAudioLDMSampler
from .encode_condition import EncodeCondition
from .examples import offer_examples
from .guidance_settings import GuidanceSettings
from .load_audioldm import LoadAudioLDM
from .load_imagebind import LoadImageBind
from .model_folders import register_model_folders


class SeeingAndHearing(ComfyExtension):
    """What ComfyUI asks for the list of nodes."""

    async def get_node_list(self):
        return [LoadImageBind, LoadAudioLDM, EncodeCondition, GuidanceSettings, GuidedAudioLDMSampler, AlignmentScore]


async def comfy_entrypoint() -> ComfyExtension:
    register_model_folders()
    offer_examples()
    return SeeingAndHearing()
