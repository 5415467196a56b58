"""The networks of published tables: the columns that each one gives, and where its weights come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedNetwork:
    """option: of the command line, which names the weights. columns: as tables name them. file, source: of the weights.

    hears: whether it takes sounds; else it takes videos.
    """

    option: str
    columns: tuple[str, ...]
    file: str
    source: str
    hears: bool


CNN14 = PublishedNetwork(
    "cnn14", ("KL", "ISc", "FD"), "Cnn14_16k_mAP=0.438.pth", "https://zenodo.org/records/3987831", True
)
VGGISH = PublishedNetwork(
    "vggish", ("FAD",), "vggish-10086976.pth", "https://github.com/harritaylor/torchvggish/releases", True
)
I3D = PublishedNetwork(
    "i3d", ("FVD", "KVD"), "i3d_pretrained_400.pt", "https://github.com/songweige/TATS/tree/main/tats/fvd", False
)
PUBLISHED_NETWORKS = (CNN14, VGGISH, I3D)
