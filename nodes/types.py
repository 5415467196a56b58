"""The types of our connections, and what all our nodes share in the menu."""

from comfy_api.latest import io

CATEGORY = "Seeing & Hearing"

ImageBindType = io.Custom("SEEING_HEARING_IMAGEBIND")
AudioLDMType = io.Custom("SEEING_HEARING_AUDIOLDM")
ConditionsType = io.Custom("SEEING_HEARING_CONDITIONS")
GuidanceType = io.Custom("SEEING_HEARING_GUIDANCE")
