"""Checks of our nodes' Python from within ComfyUI's. One process runs them all: it takes seconds to get there.

Run by ComfyUI's Python as `checks_inside.py FOLDER PACK`, with ComfyUI importable and the package PACK in FOLDER.
Prints a JSON object: each check's name, and how it failed or null.
"""

import importlib
import json
import os
import sys
import traceback

HEAVY = {"diffusers", "transformers", "open_clip", "torchaudio", "torchvision", "scipy"}


def nothing_heavy_is_imported_with_the_nodes(pack: str) -> None:
    for theirs in ("comfy.model_patcher", "comfy_api.latest", "folder_paths"):
        importlib.import_module(theirs)
    before = set(sys.modules)
    importlib.import_module(pack)
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    assert not loaded & HEAVY, loaded & HEAVY


def a_module_moved_in_inference_mode_is_mended(pack: str) -> None:
    import torch

    hosting = importlib.import_module(f"{pack}.nodes.host.hosting")
    network = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.BatchNorm1d(2)).requires_grad_(False).eval()
    with torch.inference_mode():
        hosted = hosting.Hosted(torch.nn.Sequential(network))
        network.to(torch.float64)  # what another node's offload does to a module in inference mode
        assert network[0].weight.is_inference() and network[1].running_mean.is_inference()
        before = network[0].weight.data_ptr()
        hosting.load_on_device(hosted.patchers("0"))
        with torch.inference_mode(False):
            x = torch.ones(1, 1, 5, dtype=torch.float64, requires_grad=True)
            network(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert network[0].weight.data_ptr() == before and not network[0].weight.requires_grad


def weights_go_to_the_device_even_with_novram(pack: str) -> None:
    """There ComfyUI leaves them to its own kinds of layers to fetch."""
    import torch

    hosting = importlib.import_module(f"{pack}.nodes.host.hosting")
    management, device, plenty = hosting.model_management, torch.device("meta"), 2**40
    management.vram_state, management.lowvram_available = management.VRAMState.NO_VRAM, True
    management.get_free_memory = lambda device=None, torch_free_too=False: (
        (plenty, plenty) if torch_free_too else plenty
    )
    management.get_total_memory = lambda device=None, torch_total_too=False: plenty
    management.soft_empty_cache = lambda *force: None
    management.get_torch_device = lambda: device
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8)).requires_grad_(False)
    (patcher,) = hosting.Hosted(torch.nn.Sequential(network)).patchers("0")
    hosting.load_on_device([patcher])
    assert {parameter.device for parameter in patcher.model.parameters()} == {device}
    assert patcher.loaded_size() == patcher.model_size()


def images_of_every_kind_become_rgb(pack: str) -> None:
    import torch

    convert = importlib.import_module(f"{pack}.nodes.host.convert")
    with torch.inference_mode():
        half = torch.rand(2, 5, 7, 3).half()
        grey, clear = torch.rand(1, 5, 7, 1), torch.cat([torch.zeros(1, 5, 7, 3), torch.zeros(1, 5, 7, 1)], -1)
        for image in (half, grey, clear, grey * 3 - 1):
            pixels = convert.pixels(image)
            assert pixels.shape == (len(image), 3, 5, 7) and pixels.dtype == torch.float32
            assert pixels.min() >= 0 and pixels.max() <= 1
        assert torch.equal(convert.pixels(clear), torch.ones(1, 3, 5, 7)), "what is transparent is white"
    for image in (torch.rand(1, 5, 7, 2), torch.rand(5, 7, 3), torch.zeros(1, 5, 7, 3, dtype=torch.uint8)):
        assert _refused(convert.pixels, image)


def sounds_of_every_kind_become_float32(pack: str) -> None:
    import torch

    convert = importlib.import_module(f"{pack}.nodes.host.convert")
    with torch.inference_mode():
        sound, rate = convert.waveform({"waveform": torch.rand(1, 6, 100).half(), "sample_rate": 48000})
        assert sound.dtype == torch.float32 and (sound.shape, rate) == ((1, 6, 100), 48000)
    assert _refused(convert.waveform, None)
    for empty_or_flat in (torch.zeros(1, 2, 0), torch.zeros(9)):
        assert _refused(convert.waveform, {"waveform": empty_or_flat, "sample_rate": 16000})


def frame_rates_are_told_from_their_rounded_figures(pack: str) -> None:
    convert = importlib.import_module(f"{pack}.nodes.host.convert")
    for rate in (float("nan"), float("inf"), 0.0, -1.0):
        assert _refused(convert.exact_rate, rate)
    for rounded in (23.976023976, 23.976, 23.98):
        assert convert.exact_rate(rounded) == convert.Fraction(24000, 1001)
    assert [convert.exact_rate(rate) for rate in (1.0, 4.0, 24.0, 12.5, 1000.0)] == [1, 4, 24, 12.5, 1000]


def checkpointing_is_switched_on_where_the_device_is_too_small(pack: str) -> None:
    memory = importlib.import_module(f"{pack}.nodes.host.memory")
    guidance = importlib.import_module(f"{pack}.aligner.guidance.rule").Guidance(rates={"video": 0.02})
    device, management = object(), memory.model_management
    management.get_torch_device = lambda: device
    management.get_total_memory = lambda asked: 24 * 2**30 if asked is device else 2**60  # the host has plenty
    management.extra_reserved_memory = lambda: 2**30

    class Part:
        def model_size(self) -> int:
            return 3 * 2**30

    class Denoiser:
        def __init__(self, gibibytes: int):
            self.gibibytes = gibibytes

        def activation_bytes(self, batch: int, guidance) -> int:
            return self.gibibytes * 2**30

    assert memory.affordable(Denoiser(19), 1, guidance, [Part()]) is guidance
    changed = memory.affordable(Denoiser(20), 1, guidance, [Part()])
    assert changed.checkpointing and changed.rates == guidance.rates


def when_memory_runs_out_it_is_tried_once_more_and_then_advised(pack: str) -> None:
    memory = importlib.import_module(f"{pack}.nodes.host.memory")
    guidance = importlib.import_module(f"{pack}.aligner.guidance.rule").Guidance("released", rates={"video": 0.02})
    tried, unloaded = [], []
    memory.model_management.unload_all_models = lambda: unloaded.append(True)

    def run(failures: int):
        def attempt(asked):
            tried.append(asked.checkpointing)
            if len(tried) <= failures:
                raise memory.model_management.OOM_EXCEPTION("CUDA out of memory.")
            return "a result"

        return attempt

    class Denoiser:
        def activation_bytes(self, batch: int, asked) -> int:
            return batch * (2 if asked.checkpointing or not asked.moves else 8) * 2**30

    def with_one_more_try(attempt, advice=lambda: ""):
        return memory.with_one_more_try(
            lambda: attempt(guidance), advice, again=lambda: attempt(memory.replace(guidance, checkpointing=True))
        )

    assert with_one_more_try(run(1)) == "a result"
    assert tried == [False, True] and unloaded == [True]
    tried.clear()
    assert memory.with_one_more_try(lambda: run(1)(guidance)) == "a result" and tried == [False, False]
    tried.clear()
    advice = memory.advice(Denoiser(), 2, guidance)
    assert "takes about 16.0 GiB" in advice and "checkpointing on saves about 12.0 GiB" in advice
    assert "a batch of one variation saves about 8.0 GiB" in advice and "prompt rates" not in advice
    try:
        with_one_more_try(run(2), lambda: advice)
    except ValueError as error:
        assert advice in str(error) and "twice" in str(error)
    else:
        raise AssertionError("memory ran out twice, and nothing was said")


def a_missing_package_is_told_with_the_command_that_mends_it(pack: str) -> None:
    hosting = importlib.import_module(f"{pack}.nodes.host.hosting")
    hosting.require_packages()
    hosting.PACKAGES = ("diffusers", "a_package_that_nobody_has")
    try:
        hosting.shared(lambda: None)
    except ValueError as error:
        assert "a_package_that_nobody_has is not installed" in str(error)
        assert sys.executable in str(error) and hosting.REQUIREMENTS.is_file()
    else:
        raise AssertionError("a package is missing, and nothing was said")
    finally:
        hosting.PACKAGES = ("diffusers", "open_clip")


def models_are_shared_while_somebody_holds_them(pack: str) -> None:
    import gc
    from pathlib import Path

    import torch

    hosting = importlib.import_module(f"{pack}.nodes.host.hosting")
    made = []

    def load(path, *, width: int) -> torch.nn.Module:
        made.append(width)
        return torch.nn.Sequential(torch.nn.Linear(width, 1))

    file = Path(pack).with_suffix(".tmp")
    file.write_text("weights")
    first, same = hosting.shared(load, file, width=2), hosting.shared(load, file, width=2)
    assert first is same and hosting.shared(load, file, width=3) is not first and made == [2, 3]
    file.write_text("other weights")
    os.utime(file, ns=(1, 1))
    assert hosting.shared(load, file, width=2) is not first
    del first, same
    gc.collect()
    assert not [key for key in hosting._shared if key[0] is load]
    file.unlink()


CHECKS = (
    nothing_heavy_is_imported_with_the_nodes,  # first: the others import what they like
    a_module_moved_in_inference_mode_is_mended,
    images_of_every_kind_become_rgb,
    sounds_of_every_kind_become_float32,
    frame_rates_are_told_from_their_rounded_figures,
    checkpointing_is_switched_on_where_the_device_is_too_small,
    when_memory_runs_out_it_is_tried_once_more_and_then_advised,
    a_missing_package_is_told_with_the_command_that_mends_it,
    models_are_shared_while_somebody_holds_them,
    weights_go_to_the_device_even_with_novram,
)  # last: from then on ComfyUI takes the device for a card


def _refused(convert, value) -> bool:
    try:
        convert(value)
    except ValueError as error:
        return type(error).__name__ == "AlignerError"
    return False


def main() -> None:
    folder, pack = sys.argv[1:]
    sys.argv[1:] = ["--cpu"]
    importlib.import_module("comfy.options").enable_args_parsing()
    sys.path[0] = folder  # instead of this file's own, where some modules have names of ComfyUI's
    failures = {}
    for check in CHECKS:
        try:
            check(pack)
            failures[check.__name__] = None
        except Exception:
            failures[check.__name__] = traceback.format_exc()
    print(json.dumps(failures))


if __name__ == "__main__":
    main()
