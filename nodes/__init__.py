"""ComfyUI nodes: one class per job, each of which only converts, resolves and reports. The work is in `aligner`."""

from comfy_api.latest import ComfyExtension

from .add_lora import AddLora
from .alignment_score import AlignmentScore
from .animatediff_sampler import GuidedAnimateDiffSampler
from .audioldm_sampler import GuidedAudioLDMSampler
from .blend_conditions import BlendConditions
from .caption import Caption
from .condition_timeline import ConditionTimeline
from .download_model import DownloadModel
from .encode_condition import EncodeCondition
from .encode_sound import EncodeSound
from .examples import offer_examples
from .guidance_settings import GuidanceSettings
from .joint_sampler import JointSampler
from .key_frame import KeyFrame
from .load_animatediff import LoadAnimateDiff
from .load_audioldm import LoadAudioLDM
from .load_captioner import LoadCaptioner
from .load_conditions import LoadConditions
from .load_imagebind import LoadImageBind
from .load_tuned_prompt import LoadTunedPrompt
from .mask_seconds import MaskSeconds
from .model_folders import register_model_folders
from .rank_variations import RankVariations
from .save_conditions import SaveConditions
from .save_tuned_prompt import SaveTunedPrompt


class SeeingAndHearing(ComfyExtension):
    """What ComfyUI asks for the list of nodes."""

    async def get_node_list(self):
        return [LoadImageBind, LoadAudioLDM, LoadAnimateDiff, AddLora, DownloadModel, EncodeCondition,
                ConditionTimeline, BlendConditions, SaveConditions, LoadConditions, GuidanceSettings,
                GuidedAudioLDMSampler, GuidedAnimateDiffSampler, JointSampler, EncodeSound, MaskSeconds, AlignmentScore,
                RankVariations, SaveTunedPrompt, LoadTunedPrompt, KeyFrame, LoadCaptioner, Caption]


async def comfy_entrypoint() -> ComfyExtension:
    register_model_folders()
    offer_examples()
    return SeeingAndHearing()
