"""Native models of ComfyUI with random weights, and nodes that show what a sampler did.

The models are core's own classes at small sizes. The tests copy this folder into the custom_nodes of their server. It
imports nothing of ours.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension

from .instruments import Count, CountingModel, Fingerprint
from .nodes import KeepHalf, KeepStream, NativeModel
from .stateful import StatefulModel


class NativePack(ComfyExtension):
    async def get_node_list(self):
        return [NativeModel, KeepStream, KeepHalf, Fingerprint, CountingModel, Count, StatefulModel]


async def comfy_entrypoint() -> ComfyExtension:
    return NativePack()
