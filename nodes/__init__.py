"""ComfyUI nodes, one class for each task. Nodes convert, resolve and report; `aligner` does the work."""

from comfy_api.latest import ComfyExtension

from .conditions.blend_conditions import BlendConditions
from .conditions.encode_condition import EncodeCondition
from .conditions.load_conditions import LoadConditions
from .conditions.save_conditions import SaveConditions
from .guidance.gradient_settings import GradientSettings
from .guidance.search_settings import SearchSettings
from .guidance.steer_model import SteerModel
from .guidance.steering_report import SteeringReport
from .host.examples import offer_examples
from .host.gates import gated
from .host.model_folders import register_model_folders
from .host.warned import log_our_warnings
from .loaders.add_lora import AddLora
from .loaders.combine_binders import CombineBinders
from .loaders.download_model import DownloadModel
from .loaders.load_animatediff import LoadAnimateDiff
from .loaders.load_audioldm import LoadAudioLDM
from .loaders.load_captioner import LoadCaptioner
from .loaders.load_clap import LoadCLAP
from .loaders.load_demo_model import LoadDemoModel
from .loaders.load_imagebind import LoadImageBind
from .loaders.load_mm_diffusion import LoadMMDiffusion
from .loaders.load_pe_av import LoadPEAV
from .long_form.condition_timeline import ConditionTimeline
from .long_form.encode_sound import EncodeSound
from .long_form.mask_seconds import MaskSeconds
from .samplers.audio_sampler import AudioSampler
from .samplers.joint_sampler import JointSampler
from .samplers.mm_diffusion_sampler import MMDiffusionSampler
from .samplers.mm_diffusion_upscale import MMDiffusionUpscale
from .samplers.video_sampler import VideoSampler
from .utilities.add_sound import AddSound
from .utilities.alignment_score import AlignmentScore
from .utilities.caption import Caption
from .utilities.key_frame import KeyFrame
from .utilities.load_tuned_prompt import LoadTunedPrompt
from .utilities.rank_variations import RankVariations
from .utilities.save_tuned_prompt import SaveTunedPrompt

NODES = [
    gated(node)
    for node in (
        LoadImageBind,
        LoadPEAV,
        LoadCLAP,
        CombineBinders,
        LoadAudioLDM,
        LoadAnimateDiff,
        AddLora,
        LoadCaptioner,
        DownloadModel,
        LoadDemoModel,
        LoadMMDiffusion,
        EncodeCondition,
        ConditionTimeline,
        BlendConditions,
        SaveConditions,
        LoadConditions,
        SearchSettings,
        GradientSettings,
        SteerModel,
        SteeringReport,
        AudioSampler,
        VideoSampler,
        JointSampler,
        MMDiffusionSampler,
        MMDiffusionUpscale,
        SaveTunedPrompt,
        LoadTunedPrompt,
        EncodeSound,
        MaskSeconds,
        AddSound,
        KeyFrame,
        Caption,
        AlignmentScore,
        RankVariations,
    )
]


class SeeingAndHearing(ComfyExtension):
    """The list of nodes, as ComfyUI asks for it."""

    async def get_node_list(self):
        return NODES


async def comfy_entrypoint() -> ComfyExtension:
    log_our_warnings()
    register_model_folders()
    offer_examples()
    return SeeingAndHearing()
