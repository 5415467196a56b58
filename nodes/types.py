"""The types of our connections, and what all our nodes share in the menu."""

from comfy_api.latest import io

CATEGORY = "Seeing & Hearing"

ImageBindType = io.Custom("SEEING_HEARING_IMAGEBIND")
AudioLDMType = io.Custom("SEEING_HEARING_AUDIOLDM")
AnimateDiffType = io.Custom("SEEING_HEARING_ANIMATEDIFF")
LorasType = io.Custom("SEEING_HEARING_LORAS")
ConditionsType = io.Custom("SEEING_HEARING_CONDITIONS")
GuidanceType = io.Custom("SEEING_HEARING_GUIDANCE")
CaptionerType = io.Custom("SEEING_HEARING_CAPTIONER")
TunedPromptType = io.Custom("SEEING_HEARING_TUNED_PROMPT")
