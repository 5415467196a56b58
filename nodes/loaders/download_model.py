from comfy import model_management
from comfy.utils import ProgressBar
from comfy_api.latest import io, ui

from ...aligner.errors import AlignerError
from ...aligner.files.downloads import download
from ..inputs import CATEGORY
from .catalogue import OFFERS

#: Progress is told in so many parts.
PARTS = 1000


class DownloadModel(io.ComfyNode):
    """A model from the network into the folder in which the loaders look for it."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingDownloadModel",
            display_name="Download Model",
            category=f"{CATEGORY}/loaders",
            description="Fetches a real model into ComfyUI's models folder, once, when this node is run and accept is "
            "on; then press R and choose it in its loader. What is there already is not fetched again. A "
            "download that is cancelled goes on where it stopped. Nothing else here ever downloads.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=list(OFFERS),
                    tooltip="For sound ImageBind and an AudioLDM; for video ImageBind, Stable Diffusion 1.5 "
                    "and a motion module. Without accept the node tells how large it is.",
                ),
                io.Boolean.Input(
                    "accept",
                    default=False,
                    tooltip="I have read the licence of the model, which the node tells when it runs, and "
                    "accept it. Without this nothing is downloaded.",
                ),
            ],
            outputs=[io.String.Output(display_name="name", tooltip="As its loader lists it.")],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, model, accept) -> float:
        """A model may have been deleted since: this always looks."""
        return float("nan")

    @classmethod
    def execute(cls, model, accept) -> io.NodeOutput:
        offer = OFFERS[model]
        if found := offer.found:
            return io.NodeOutput(found, ui=ui.PreviewText(f"{found} is there already."))
        if not accept:
            raise AlignerError(
                f"{model} is {offer.size} large and comes under this licence: {offer.licence}. Switch "
                "accept on to download it."
            )
        bar = ProgressBar(PARTS)

        def on_progress(done: int, total: int) -> None:
            model_management.throw_exception_if_processing_interrupted()
            bar.update_absolute(PARTS * done // total, PARTS)

        came = download(offer.files(), offer.folder, on_progress)
        return io.NodeOutput(
            offer.name,
            ui=ui.PreviewText(
                f"{offer.name} is in {offer.folder} now ({len(came)} new). Press R to see it in its loader."
            ),
        )
