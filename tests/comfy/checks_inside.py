"""Checks of our nodes from within ComfyUI's Python. One process runs them all, because its start takes seconds.

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
    # A running ComfyUI has imported these before it imports packs.
    for theirs in (
        "comfy.model_patcher",
        "comfy.sample",
        "comfy.sd",
        "comfy_api.latest",
        "folder_paths",
        "latent_preview",
    ):
        importlib.import_module(theirs)
    before = set(sys.modules)
    importlib.import_module(pack)
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    assert not loaded & HEAVY, loaded & HEAVY


def a_module_moved_in_inference_mode_is_mended(pack: str) -> None:
    import torch

    managing = importlib.import_module(f"{pack}.nodes.host.managed_model")
    network = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.BatchNorm1d(2)).requires_grad_(False).eval()
    with torch.inference_mode():
        managed = managing.ManagedModel(torch.nn.Sequential(network))
        network.to(torch.float64)  # as another node's offload does in inference mode
        assert network[0].weight.is_inference() and network[1].running_mean.is_inference()
        before = network[0].weight.data_ptr()
        managing.load_on_device(managed.patchers_of("0"))
        with torch.inference_mode(False):
            x = torch.ones(1, 1, 5, dtype=torch.float64, requires_grad=True)
            network(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert network[0].weight.data_ptr() == before and not network[0].weight.requires_grad


def a_bare_module_keeps_its_managed_model(pack: str) -> None:
    """A module of another pack is one and the same to ComfyUI in every run, and is freed with its last graph."""
    import gc
    import weakref

    import torch

    managed_model = importlib.import_module(f"{pack}.nodes.host.managed_model").ManagedModel
    module = torch.nn.Sequential(torch.nn.Linear(2, 1))
    managed = managed_model.of(module)
    assert managed.model is module and managed_model.of(module) is managed and managed_model.of(managed) is managed
    assert managed_model.of(torch.nn.Sequential(torch.nn.Linear(2, 1))) is not managed
    gone = weakref.ref(managed)
    del module, managed
    gc.collect()
    assert gone() is None


def weights_go_to_the_device_even_with_novram(pack: str) -> None:
    """There ComfyUI leaves weights on the host for its own kinds of layers to fetch."""
    import torch

    managing = importlib.import_module(f"{pack}.nodes.host.managed_model")
    device = _device_without_memory(managing.model_management)
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8)).requires_grad_(False)
    (patcher,) = managing.ManagedModel(torch.nn.Sequential(network)).patchers_of("0")
    managing.load_on_device([patcher])
    assert {parameter.device for parameter in patcher.model.parameters()} == {device}
    assert patcher.loaded_size() == patcher.model_size()


def demo_models_go_to_the_device_even_with_novram(pack: str) -> None:
    family = importlib.import_module(f"{pack}.nodes.native.demo.family")
    device = _device_without_memory(family.model_management)
    model, _, vae = family.load_native_demo(family.SOUND)
    family.model_management.load_models_gpu([model, vae.patcher])
    for part in (model.model.diffusion_model, vae.first_stage_model):
        assert {parameter.device for parameter in part.parameters()} == {device}


def _device_without_memory(management):
    """Make ComfyUI take the device "meta" for a graphics card that it uses with --novram."""
    import torch

    device, plenty = torch.device("meta"), 2**40
    management.vram_state, management.lowvram_available = management.VRAMState.NO_VRAM, True
    management.get_free_memory = lambda device=None, torch_free_too=False: (
        (plenty, plenty) if torch_free_too else plenty
    )
    management.get_total_memory = lambda device=None, torch_total_too=False: plenty
    management.soft_empty_cache = lambda *force: None
    management.get_torch_device = lambda: device
    return device


def images_of_every_kind_become_rgb(pack: str) -> None:
    import torch

    convert = importlib.import_module(f"{pack}.nodes.host.convert")
    gate = importlib.import_module(f"{pack}.nodes.host.gates").GATES["IMAGE"]
    with torch.inference_mode():
        half = torch.rand(2, 5, 7, 3).half()
        grey, clear = torch.rand(1, 5, 7, 1), torch.cat([torch.zeros(1, 5, 7, 3), torch.zeros(1, 5, 7, 1)], -1)
        for image in (half, grey, clear, grey * 3 - 1):
            pixels = convert.pixels(gate(image, "image"))
            assert pixels.shape == (len(image), 3, 5, 7) and pixels.dtype == torch.float32
            assert pixels.min() >= 0 and pixels.max() <= 1
        assert torch.equal(convert.pixels(clear), torch.ones(1, 3, 5, 7)), "transparent pixels become white"
    for image in (torch.rand(1, 5, 7, 2), torch.rand(5, 7, 3), torch.zeros(1, 5, 7, 3, dtype=torch.uint8)):
        assert _refused(lambda value: gate(value, "image"), image)


def sounds_of_every_kind_become_float32(pack: str) -> None:
    import torch

    gate = importlib.import_module(f"{pack}.nodes.host.gates").GATES["AUDIO"]
    with torch.inference_mode():
        sound, rate = gate({"waveform": torch.rand(1, 6, 100).half(), "sample_rate": 48000}, "audio")
        assert sound.dtype == torch.float32 and (sound.shape, rate) == ((1, 6, 100), 48000)
    for value in (None, *({"waveform": each, "sample_rate": 16000} for each in (torch.zeros(1, 2, 0), torch.zeros(9)))):
        assert _refused(lambda value: gate(value, "audio"), value)


def rounded_frame_rates_become_exact(pack: str) -> None:
    convert = importlib.import_module(f"{pack}.nodes.host.convert")
    for rate in (float("nan"), float("inf"), 0.0, -1.0):
        assert _refused(convert.exact_rate, rate)
    for rounded in (23.976023976, 23.976, 23.98):
        assert convert.exact_rate(rounded) == convert.Fraction(24000, 1001)
    assert [convert.exact_rate(rate) for rate in (1.0, 4.0, 24.0, 12.5, 1000.0)] == [1, 4, 24, 12.5, 1000]


def every_widget_of_the_settings_nodes_changes_the_rule(pack: str) -> None:
    """Each widget is changed alone. A new node is the rule's own default."""
    settings = importlib.import_module(f"{pack}.aligner.settings")
    search, gradient = (
        importlib.import_module(f"{pack}.nodes.guidance.{name}") for name in ("search_settings", "gradient_settings")
    )
    for node, chosen, new in (
        (search.SearchSettings, settings.SEARCH, search.Search()),
        (gradient.GradientSettings, settings.GRADIENT, gradient.RULES["code"]()),
    ):
        defaults = {setting.name: setting.default for setting in chosen}
        widgets = {each.id: each.default for each in node.define_schema().inputs if hasattr(each, "default")}
        assert widgets == defaults
        (rule,) = node.execute(**defaults).result
        assert rule == new
        rules = [rule]
        for setting in chosen:
            (changed,) = node.execute(**defaults | {setting.name: _another(setting)}).result
            assert changed not in rules, f"{setting.name} changes nothing, or the same as another widget"
            rules.append(changed)
    (moved,) = search.SearchSettings.execute(**{each.name: each.default for each in settings.SEARCH}, then=rule).result
    assert moved.then is rule and moved != search.Search()


def _another(setting):
    """Another value of a setting, which its rule accepts."""
    if setting.choices:
        return next(choice for choice in setting.choices if choice != setting.default)
    if isinstance(setting.default, bool):
        return not setting.default
    if isinstance(setting.default, str):
        return "0.2: 4"
    up = setting.default + setting.step
    return up if up <= setting.high else setting.default - setting.step


def checkpointing_is_switched_on_where_the_device_is_too_small(pack: str) -> None:
    memory = importlib.import_module(f"{pack}.nodes.host.memory")
    released = importlib.import_module(f"{pack}.aligner.guidance.gradient").Released
    rule = released(rates={"video": 0.02}, checkpointing=False)
    device, management = object(), memory.model_management
    management.get_torch_device = lambda: device
    management.get_total_memory = lambda asked: 24 * 2**30 if asked is device else 2**60  # the host has plenty
    management.extra_reserved_memory = lambda: 2**30

    class Part:
        def model_size(self) -> int:
            return 3 * 2**30

    def needing(gibibytes: int):
        return lambda rule, batch: batch * gibibytes * 2**30

    assert memory.affordable(rule, needing(19), 1, [Part()]) is rule
    assert memory.affordable(rule, needing(20), 1, [Part()]) == released(rates={"video": 0.02}, checkpointing=True)
    assert memory.affordable(rule, needing(19), 2, [Part()]).checkpointing
    search = memory.Search()
    assert memory.affordable(search, needing(20), 1, [Part()]) is search


def a_run_out_of_memory_is_tried_once_more_and_then_advised(pack: str) -> None:
    memory = importlib.import_module(f"{pack}.nodes.host.memory")
    released = importlib.import_module(f"{pack}.aligner.guidance.gradient").Released
    rule = released(rates={"video": 0.02}, prompt_rates={}, checkpointing=False)
    tried, unloaded = [], []
    memory.model_management.unload_all_models = lambda: unloaded.append(True)

    def failing(failures: int):
        def run(asked):
            tried.append(asked.checkpointing)
            if len(tried) <= failures:
                raise memory.model_management.OOM_EXCEPTION("CUDA out of memory.")
            return "a result"

        return run

    def estimate(asked, batch: int) -> int:
        moves = asked.backward(["video"])
        return batch * (8 if moves and not asked.checkpointing else 2) * 2**30

    def with_one_more_try(run, advice=lambda: ""):
        return memory.with_one_more_try(lambda: run(rule), advice, again=lambda: run(rule.frugal()))

    assert with_one_more_try(failing(1)) == "a result"
    assert tried == [False, True] and unloaded == [True]
    tried.clear()
    run = failing(1)
    assert memory.with_one_more_try(lambda: run(rule)) == "a result" and tried == [False, False]
    tried.clear()
    advice = memory.advice(rule, estimate, 2, ["video"])
    assert "takes about 16.0 GiB" in advice and "checkpointing on saves about 12.0 GiB" in advice
    assert "a search instead of gradients saves about 12.0 GiB" in advice
    assert "a batch of one variation saves about 8.0 GiB" in advice and "prompt_rate" not in advice
    pulled = memory.advice(memory.Search(), estimate, 2, ["video"], {"reconstruction of 0": lambda rule, batch: 0})
    assert "reconstruction of 0 saves about" in pulled
    assert "instead of gradients" not in memory.advice(memory.Search(), estimate, 2, ["video"])
    try:
        with_one_more_try(failing(2), lambda: advice)
    except ValueError as error:
        assert advice in str(error) and "twice" in str(error)
    else:
        raise AssertionError("memory ran out twice without an error")


def a_full_memory_of_the_host_is_out_of_memory_too(pack: str) -> None:
    """PyTorch has no exception of its own for it. Another error of the same type is no lack of memory."""
    memory = importlib.import_module(f"{pack}.nodes.host.memory")
    memory.model_management.unload_all_models = lambda: None
    allocator = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
    windows = "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9"

    def times(error: BaseException) -> int:
        tried = []

        def work() -> None:
            tried.append(error)
            raise error

        try:
            memory.with_one_more_try(work)
        except ValueError as told:
            assert "ran out of memory, twice" in str(told)
        except type(error):
            assert len(tried) == 1
        return len(tried)

    assert [times(error) for error in (MemoryError(), RuntimeError(allocator), RuntimeError(windows))] == [2, 2, 2]
    assert times(RuntimeError("shapes do not fit")) == 1


def large_attention_is_the_same_in_pieces_and_is_cancelled_between_them(pack: str) -> None:
    import torch
    import torch.nn.functional as F

    attention = importlib.import_module(f"{pack}.nodes.host.attention")
    progress = importlib.import_module(f"{pack}.nodes.host.progress")
    query, key, value = (torch.randn(2, 3, 300, 8, requires_grad=True) for _ in range(3))
    whole = F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False)
    (gradient,) = torch.autograd.grad(whole.sin().sum(), query)
    looked = []
    progress.model_management.throw_exception_if_processing_interrupted = lambda: looked.append(True)
    attention.PIECE = 2**17
    with attention.CancellableAttention():
        pieces = F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False)
        forwards = len(looked)
        (again,) = torch.autograd.grad(pieces.sin().sum(), query)
    assert torch.allclose(pieces, whole, atol=1e-6) and torch.allclose(again, gradient, atol=1e-6)
    assert forwards > 4 and len(looked) == 2 * forwards
    masked = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    with attention.CancellableAttention():
        assert torch.equal(F.scaled_dot_product_attention(query, key, value, is_causal=True), masked)


def every_block_looks_for_a_cancel(pack: str) -> None:
    import torch

    managing = importlib.import_module(f"{pack}.nodes.host.managed_model")
    progress = importlib.import_module(f"{pack}.nodes.host.progress")
    looked = []
    progress.model_management.throw_exception_if_processing_interrupted = lambda: looked.append(True)
    network = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)))
    managing.ManagedModel(network).model(torch.ones(1, 2))
    assert len(looked) == 4


def a_missing_package_is_an_error_with_the_command_that_installs_it(pack: str) -> None:
    managing = importlib.import_module(f"{pack}.nodes.host.managed_model")
    managing.require_packages()
    managing.PACKAGES = ("diffusers", "a_package_that_nobody_has")
    try:
        managing.shared(lambda: None)
    except ValueError as error:
        assert "a_package_that_nobody_has is not installed" in str(error)
        assert sys.executable in str(error) and managing.REQUIREMENTS.is_file()
    else:
        raise AssertionError("a package is missing without an error")
    finally:
        managing.PACKAGES = ("diffusers", "open_clip")


def models_are_shared_while_a_graph_holds_them(pack: str) -> None:
    import gc
    import tempfile
    from pathlib import Path

    import torch

    managing = importlib.import_module(f"{pack}.nodes.host.managed_model")
    made = []

    def load(path, *, width: int) -> torch.nn.Module:
        made.append(width)
        return torch.nn.Sequential(torch.nn.Linear(width, 1))

    # A folder of its own: the checks of another version run at the same time.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.tmp"
        file.write_text("weights")
        first, same = managing.shared(load, file, width=2), managing.shared(load, file, width=2)
        assert first is same and managing.shared(load, file, width=3) is not first and made == [2, 3]
        file.write_text("other weights")
        os.utime(file, ns=(1, 1))
        assert managing.shared(load, file, width=2) is not first
        del first, same
        gc.collect()
        assert not [key for key in managing._shared if key[0] is load]


def the_demo_picture_is_that_of_the_guided_samplers(pack: str) -> None:
    """From the same words and noise: one estimate, and its picture."""
    model = importlib.import_module(f"{pack}.aligner.demo.family").load_demo_animatediff(motion=False)
    denoiser = model.denoiser(frames=1, height=64, width=64, steps=20, cfg=1.0)
    seen, expected = _decoded_estimates(pack, "picture", denoiser, lambda latents: latents[:, :, 0])
    assert seen.shape == (1, 64, 64, 3)
    assert (seen[0] - expected.pixels[0, 0].movedim(0, -1)).abs().max() < 1e-4


def the_demo_sound_is_that_of_the_guided_samplers(pack: str) -> None:
    """From the same words and noise: one estimate, and its sound."""
    resampling = importlib.import_module(f"{pack}.aligner.tensors.resampling")
    model = importlib.import_module(f"{pack}.aligner.demo.family").load_demo_audioldm()
    denoiser = model.denoiser(seconds=2.0, steps=20, cfg=1.0)
    heard, expected = _decoded_estimates(pack, "sound", denoiser, lambda latents: latents.transpose(2, 3).flatten(1, 2))
    assert heard.shape == (1, 88200, 1)
    assert (heard[..., 0] - resampling.resampled(expected.waveform, 16000, 44100)).abs().max() < 1e-4


def _decoded_estimates(pack: str, kind: str, denoiser, closed):
    """The clean estimate from noise, decoded by ComfyUI and rendered by a denoiser.

    closed: a denoiser's latents as ComfyUI has them.
    """
    import torch

    native, clip, vae = importlib.import_module(f"{pack}.nodes.native.demo.family").load_native_demo(kind)
    (stream,), text, index = denoiser.streams, "a ball hits the floor, thud", 8
    with torch.inference_mode():
        noise = denoiser.start([torch.Generator().manual_seed(0)])
        output = denoiser.predict(noise, denoiser.prompts([text]), index)
        rendered = denoiser.render(denoiser.x0(noise, output, index))[stream].finished()
        # A model of ComfyUI scales its input to variance 1. A denoiser's latents have it.
        level = native.model.model_sampling.sigmas[denoiser.timesteps[index]]
        noisy, words = closed(noise[stream]) * (1 + level**2).sqrt(), clip.encode_from_tokens(clip.tokenize(text))
        estimate = native.model.apply_model(noisy, level[None], c_crossattn=words)
        return vae.decode(native.model.process_latent_out(estimate)), rendered


def demo_models_are_shared_while_a_graph_holds_them(pack: str) -> None:
    import gc
    import weakref

    import torch

    load = importlib.import_module(f"{pack}.nodes.native.demo.family").load_native_demo
    for kind in ("picture", "sound"):
        with torch.inference_mode():  # as nodes run
            first, same = load(kind), load(kind)
        assert all(part is other for part, other in zip(first, same))
        model, clip, vae = first
        networks = model.model.diffusion_model, clip.cond_stage_model, vae.first_stage_model
        assert not any(weight.is_inference() for network in networks for weight in network.parameters())
        gone = [weakref.ref(network) for network in networks]
        del first, same, model, clip, vae, networks
        gc.collect()
        assert not any(network() for network in gone)


def demo_decoders_have_a_gradient(pack: str) -> None:
    import torch

    load = importlib.import_module(f"{pack}.nodes.native.demo.family").load_native_demo
    for kind, shape in (("picture", (1, 4, 8, 8)), ("sound", (1, 64, 25))):
        latent = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
        load(kind)[2].first_stage_model.decode(latent).square().mean().backward()
        assert latent.grad.isfinite().all() and latent.grad.abs().max() > 1e-6


CHECKS = (
    nothing_heavy_is_imported_with_the_nodes,  # first: the others import heavy libraries
    a_module_moved_in_inference_mode_is_mended,
    a_bare_module_keeps_its_managed_model,
    images_of_every_kind_become_rgb,
    sounds_of_every_kind_become_float32,
    rounded_frame_rates_become_exact,
    every_widget_of_the_settings_nodes_changes_the_rule,
    the_demo_picture_is_that_of_the_guided_samplers,
    the_demo_sound_is_that_of_the_guided_samplers,
    demo_models_are_shared_while_a_graph_holds_them,
    demo_decoders_have_a_gradient,
    checkpointing_is_switched_on_where_the_device_is_too_small,
    a_run_out_of_memory_is_tried_once_more_and_then_advised,
    a_full_memory_of_the_host_is_out_of_memory_too,
    large_attention_is_the_same_in_pieces_and_is_cancelled_between_them,
    every_block_looks_for_a_cancel,
    a_missing_package_is_an_error_with_the_command_that_installs_it,
    models_are_shared_while_a_graph_holds_them,
    # Last: from then on ComfyUI takes the device for a graphics card.
    weights_go_to_the_device_even_with_novram,
    demo_models_go_to_the_device_even_with_novram,
)


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
    sys.path[0] = folder  # replaces this file's folder, where some modules have names of ComfyUI's
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
