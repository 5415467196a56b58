"""What ComfyUI's own code makes of LoRA files, for comparison with ours.

Run by ComfyUI's Python as `merging_inside.py FOLDER STRENGTH`, with ComfyUI importable. Reads FOLDER/base.safetensors,
a checkpoint of Stable Diffusion 1.5, and the LoRAs in FOLDER/loras. Writes FOLDER/keys.json, {address that ComfyUI
knows: name of the weight in the checkpoint}, and for each LoRA the weights that it changes to FOLDER/merged.
"""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace


def main() -> None:
    folder, strength = Path(sys.argv[1]), float(sys.argv[2])
    sys.argv[1:] = ["--cpu"]
    importlib.import_module("comfy.options").enable_args_parsing()
    sys.path[0] = ""  # in place of this file's folder, where some modules have names of ComfyUI's
    lora, convert, utils, files = (
        importlib.import_module(name)
        for name in ("comfy.lora", "comfy.lora_convert", "comfy.utils", "safetensors.torch")
    )
    base = files.load_file(folder / "base.safetensors")
    names = _names(base)
    keys = _keys(lora, base, names)
    (folder / "keys.json").write_text(json.dumps({key: names[target] for key, target in keys.items()}))
    (folder / "merged").mkdir()
    for path in sorted((folder / "loras").iterdir()):
        patches = lora.load_lora(convert.convert_lora(utils.load_torch_file(str(path))), keys)
        merged = {
            names[target]: lora.calculate_weight(
                [(strength, patch, 1.0, None, None)], base[names[target]].clone(), target
            )
            for target, patch in patches.items()
            if target in names
        }
        files.save_file({name: tensor.contiguous() for name, tensor in merged.items()}, folder / "merged" / path.name)


def _names(base) -> dict:
    """{name of a weight in ComfyUI: its name in the checkpoint}"""
    config = importlib.import_module("comfy.supported_models").SD15
    names = {name.removeprefix("model."): name for name in base if name.startswith("model.diffusion_model.")}
    for name in base:
        if name.startswith("cond_stage_model."):
            (ours,) = config.process_clip_state_dict(SimpleNamespace(), {name: base[name]})
            names[ours] = name
    return names


def _keys(lora, base, names) -> dict:
    """{address that ComfyUI knows: name of the weight in ComfyUI}"""
    detect = importlib.import_module("comfy.model_detection").detect_unet_config
    config = SimpleNamespace(unet_config=detect(dict(base), "model.diffusion_model."))
    unet, clip = ([name for name in names if name.startswith(start)] for start in ("diffusion_model.", "clip_l."))
    keys = lora.model_lora_keys_unet(SimpleNamespace(model_config=config, state_dict=lambda: dict.fromkeys(unet)), {})
    keys = lora.model_lora_keys_clip(SimpleNamespace(state_dict=lambda: dict.fromkeys(clip)), keys)
    # ComfyUI lists a shortcut for every block, but not every block has one.
    return {key: target for key, target in keys.items() if target in names}


if __name__ == "__main__":
    main()
