"""ComfyUI nodes: one class per job, each of which only converts, resolves and reports. The work is in `aligner`."""

from comfy_api.latest import ComfyExtension

from .add_lora import AddLora
from .alignment_score import AlignmentScore
from .animatediff_sampler import GuidedAnimateDiffSampler
from .audioldm_sampler import GuidedAudioLDMSampler
from .encode_condition import EncodeCondition
from .examples import offer_examples
from .guidance_settings import GuidanceSettings
from .joint_sampler import JointSampler
from .load_animatediff import LoadAnimateDiff
from .load_audioldm import LoadAudioLDM
from .load_imagebind import LoadImageBind
from .load_tuned_prompt import LoadTunedPrompt
from .model_folders import register_model_folders
from .save_tuned_prompt import SaveTunedPrompt


class SeeingAndHearing(ComfyExtension):
    """What ComfyUI asks for the list of nodes."""

    async def get_node_list(self):
        return [LoadImageBind, LoadAudioLDM, LoadAnimateDiff, AddLora, EncodeCondition, GuidanceSettings,
                GuidedAudioLDMSampler, GuidedAnimateDiffSampler, JointSampler, AlignmentScore, SaveTunedPrompt,
                LoadTunedPrompt]


async def comfy_entrypoint() -> ComfyExtension:
    register_model_folders()
    offer_examples()
    return SeeingAndHearing()
