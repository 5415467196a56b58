from comfy import model_management
from comfy.utils import ProgressBar
from comfy_api.latest import io, ui

from ...aligner.errors import AlignerError
from ...aligner.files.catalogue import OFFERS
from ...aligner.files.downloads import download
from ..host.model_folders import first_place, listed_name
from ..inputs import Category, schema

#: The steps of the progress bar.
PARTS = 1000


class DownloadModel(io.ComfyNode):
    """A model from the network into the folder in which the loaders look for it."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingDownloadModel",
            display_name="Download Model",
            category=Category.LOADERS,
            description="Downloads a real model into ComfyUI's models folder when the node runs with accept on. Then "
            "press R and choose the model in its loader. A model that is there already is not downloaded again. A "
            "cancelled download resumes. No other node of this extension downloads anything.",
            search_aliases=[
                "get model",
                "fetch model",
                "download pe-av",
                "download imagebind",
                "download audioldm",
                "install model",
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=list(OFFERS),
                    tooltip="All need a binder: PE-AV or ImageBind. Sound also needs an AudioLDM, video Stable "
                    "Diffusion 1.5 and a motion module. Without accept the node shows the size and the licence.",
                ),
                io.Boolean.Input(
                    "accept",
                    default=False,
                    tooltip="On: I have read the licence of the model and accept it. Off: nothing is downloaded.",
                ),
            ],
            outputs=[io.String.Output(display_name="name", tooltip="The name of the model in the list of its loader.")],
            is_output_node=True,
        )

    @classmethod
    def require(cls, connected, model, accept) -> None:
        offer = OFFERS[model]
        if not accept and not listed_name(offer):
            raise AlignerError(
                f"{model} is {offer.size} large and has this licence: {offer.licence}. Switch accept on to download it."
            )

    @classmethod
    def fingerprint_inputs(cls, model, accept) -> float:
        """Not equal to itself, so that the node always looks: the model may have been deleted since."""
        return float("nan")

    @classmethod
    def execute(cls, model, accept) -> io.NodeOutput:
        offer = OFFERS[model]
        place = first_place(offer)
        if found := listed_name(offer):
            return io.NodeOutput(found, ui=ui.PreviewText(f"{found} is there already."))
        bar = ProgressBar(PARTS)

        def on_progress(done: int, total: int) -> None:
            model_management.throw_exception_if_processing_interrupted()
            bar.update_absolute(PARTS * done // max(1, total), PARTS)

        files = offer.files(place / offer.name, model_management.throw_exception_if_processing_interrupted)
        new = download(files, place, on_progress)
        return io.NodeOutput(
            offer.name,
            ui=ui.PreviewText(f"{offer.name} is in {place} now ({len(new)} new). Press R to see it in its loader."),
        )
