"""Pipelines of diffusers are steered from outside: the best of several seeds is found, and its result is theirs."""

from dataclasses import replace

import diffusers
import pytest
import torch

from aligner.conditions.encoding import text_condition as encoded
from aligner.conditions.timeline import Timeline
from aligner.demo.family import STABLE_DIFFUSION
from aligner.errors import AlignerError
from aligner.guidance.gradient import Released
from aligner.guidance.objective import Comparison
from aligner.guidance.search import Search, passes
from aligner.pipelines.steer import steer
from aligner.timing.intervals import Interval
from laboratory.random_models import load_random_imagebind
from tests.extensions.colours import Colours
from tests.pipelines.random_pipelines import flux, ltx, ltx2, stable_audio, stable_diffusion_xl, wan

STEPS = 6
CANDIDATES = 5
SEARCH = Search(candidates={"audio": CANDIDATES, "video": CANDIDATES}, at=0.5)
FUNNEL = Search(candidates={"audio": CANDIDATES, "video": CANDIDATES}, at=0.5, funnel=[(0.2, 3)])
LONG = 12

EXAMPLES = {
    "SDXL, Euler": stable_diffusion_xl,
    "SDXL, Euler ancestral": lambda: stable_diffusion_xl(diffusers.EulerAncestralDiscreteScheduler()),
    "SDXL, DPM-Solver": lambda: stable_diffusion_xl(diffusers.DPMSolverMultistepScheduler()),
    "SDXL, stochastic DPM-Solver": lambda: stable_diffusion_xl(
        diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++")
    ),
    "SDXL, DDPM": lambda: stable_diffusion_xl(diffusers.DDPMScheduler()),
    "SDXL, LCM": lambda: stable_diffusion_xl(diffusers.LCMScheduler()),
    "SDXL, PNDM": lambda: stable_diffusion_xl(diffusers.PNDMScheduler(skip_prk_steps=True)),
    "Flux": flux,
    "Flux, stochastic": lambda: flux(diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)),
    "LTX": ltx,
    "LTX-2 with sound": ltx2,
    "Wan with two experts": wan,
    "Stable Audio": stable_audio,
    "Stable Audio, deterministic": lambda: stable_audio(diffusers.EDMDPMSolverMultistepScheduler()),
}


def steered(example, conditions, binder, *, search=SEARCH, seed=7, call=None, **more):
    call = {**example.call, "output_type": "pt", **(call or {})}
    example.pipeline.set_progress_bar_config(disable=True)
    return steer(
        example.pipeline,
        call,
        seed=seed,
        binder=binder,
        conditions=conditions,
        search=search,
        **{**example.settings, **more},
    )


def plain(example, seed, **more):
    """The same call without steering."""
    torch.manual_seed(seed)  # some pipelines do not pass their generator on to the scheduler
    generator = torch.Generator("cpu").manual_seed(seed)
    return example.pipeline(**{**example.call, "output_type": "pt", **more}, generator=generator)


def parts(example):
    return [getattr(example.pipeline, name) for name in (*example.networks, "scheduler")]


def require_same(first, second):
    assert first.keys() == second.keys() and len(first) >= 1
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module", params=EXAMPLES)
def run(request, binder, text_condition):
    """A pipeline, what steering it found, and the classes that its parts had before."""
    example = EXAMPLES[request.param]()
    kinds = [type(part) for part in parts(example)]
    return example, steered(example, [text_condition], binder), kinds


def test_the_winner_is_a_seed(run):
    example, found, _ = run
    require_same(found.output, plain(example, found.seed))


def test_the_best_candidate_is_chosen(run):
    _, found, _ = run
    losses = [take.alignment.loss.item() for take in found.rehearsed.takes]
    assert len(losses) == CANDIDATES and len(set(losses)) > 1
    assert losses[found.rehearsed.chosen] == min(losses) and found.seed == 7 + found.rehearsed.chosen


def test_recorded_steps_are_not_taken_again(run):
    example, found, _ = run
    steps = len(example.pipeline.scheduler.timesteps)
    assert found.evaluations == passes(CANDIDATES, found.rehearsed.choices, steps) * example.calls_per_step


def test_the_pipeline_is_left_as_it_was(run):
    example, _, kinds = run
    assert [type(part) for part in parts(example)] == kinds
    assert "step" not in vars(example.pipeline.scheduler)


def test_another_seed_makes_another_result(run):
    example, found, _ = run
    other = plain(example, found.seed + CANDIDATES)
    assert not any(torch.equal(found.output[name], other[name]) for name in other)


@pytest.mark.parametrize("make", [stable_diffusion_xl, ltx2, stable_audio])
def test_a_funnel_keeps_the_best_and_finishes_one(make, binder, text_condition):
    example = make()
    found = steered(example, [text_condition], binder, search=FUNNEL, call={"num_inference_steps": LONG})
    require_same(found.output, plain(example, found.seed, num_inference_steps=LONG))
    choices = found.rehearsed.choices
    assert [choice.keep for choice in choices] == [3, 1]
    assert found.evaluations == passes(CANDIDATES, choices, LONG) * example.calls_per_step


def test_the_estimate_of_the_last_step_is_the_result(binder, text_condition):
    """A single step ends at its clean estimate: what was judged is what comes out."""
    example = flux()
    judged = {}
    found = steered(
        example, [text_condition], binder, call={"num_inference_steps": 1}, on_take=lambda *take: judged.update([take])
    )
    again = steered(example, [text_condition], binder, call={"num_inference_steps": 1}, seed=found.seed)
    assert found.evaluations == CANDIDATES
    assert list(judged) == list(range(CANDIDATES))
    assert again.rehearsed.takes[0].alignment.loss == judged[found.rehearsed.chosen].alignment.loss


def test_the_users_own_output_is_returned(binder, text_condition):
    found = steered(flux(), [text_condition], binder, call={"output_type": "np", "return_dict": False})
    (pictures,) = found.output
    assert pictures.shape == (1, 16, 16, 3)


def _demo():
    return diffusers.StableDiffusionPipeline.from_pretrained(STABLE_DIFFUSION, torch_dtype=torch.float32)


def test_words_and_callbacks_are_passed_on(binder, text_condition):
    pipeline = _demo()
    pipeline.set_progress_bar_config(disable=True)
    seen = []

    def callback(pipeline, index, timestep, tensors):
        seen.append(index)
        return {}

    call = {
        "prompt": "a red square",
        "width": 64,
        "height": 64,
        "num_inference_steps": STEPS,
        "callback_on_step_end": callback,
    }
    search = Search(candidates={"video": 2}, at=0.5)
    found = steer(pipeline, call, seed=0, binder=binder, conditions=[text_condition], search=search)
    assert found.output.images[0].size == (64, 64)
    assert seen == list(range(STEPS)) * 4, "once for what is made, for each candidate, and for the best"


class Stop(Exception):
    pass


def test_what_a_caller_raises_ends_the_run_and_restores_everything(binder, text_condition):
    def stop(*arguments):
        raise Stop

    for arguments in ({"on_take": stop}, {"call": {"callback_on_step_end": stop}}):
        example = stable_diffusion_xl()
        kinds, before = [type(part) for part in parts(example)], plain(example, 3)
        state = torch.get_rng_state()
        with pytest.raises(Stop):
            steered(example, [text_condition], binder, **arguments)
        assert [type(part) for part in parts(example)] == kinds
        assert torch.equal(torch.get_rng_state(), state)
        require_same(before, plain(example, 3))


def test_a_network_that_caches_is_sampled_anew(binder, text_condition):
    example = flux()
    example.pipeline.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=0.5))
    found = steered(example, [text_condition], binder)
    require_same(found.output, plain(example, found.seed))
    steps = found.rehearsed.choices[0].steps
    assert found.evaluations == 1 + CANDIDATES * steps + STEPS


def test_a_control_net_rests_with_the_network(binder, text_condition):
    sd = _demo()
    pipeline = diffusers.StableDiffusionControlNetPipeline(
        **{**sd.components, "controlnet": diffusers.ControlNetModel.from_unet(sd.unet)}, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    calls = []
    pipeline.controlnet.register_forward_hook(lambda *call: calls.append(call))
    call = {"prompt": "a red square", "image": torch.rand(1, 3, 64, 64), "num_inference_steps": STEPS}
    call |= {"output_type": "pt"}
    search = Search(candidates={"video": 3}, at=0.5)
    found = steer(pipeline, call, seed=0, binder=binder, conditions=[text_condition], search=search)
    chosen_after = found.rehearsed.choices[0].steps
    assert len(calls) == 1 + 3 * chosen_after + STEPS
    generator = torch.Generator("cpu").manual_seed(found.seed)
    require_same({"images": found.output.images}, {"images": pipeline(**call, generator=generator).images})


def test_sound_and_picture_of_a_joint_pipeline_are_compared_with_each_other(binder, text_condition):
    found = steered(ltx2(), [text_condition], binder)
    labels = set(found.rehearsed.best.alignment.scores)
    assert labels == {"video ~ text", "audio ~ text", "video ~ generated audio"}
    alone = steered(ltx2(), [text_condition], binder, pair_weight=0.0)
    assert set(alone.rehearsed.best.alignment.scores) == {"video ~ text", "audio ~ text"}


class TwoPasses(diffusers.FluxPipeline):
    """As pipelines for long videos do: chunk after chunk."""

    def __call__(self, **call):
        super().__call__(**call)
        return super().__call__(**call)


class NoSteps(diffusers.FluxPipeline):
    def __call__(self, output_type, return_dict, generator, **call):
        return diffusers.pipelines.flux.FluxPipelineOutput(images=torch.zeros(1, 3, 8, 8))


class OnlyWords(diffusers.FluxPipeline):
    def __call__(self, **call):
        super().__call__(**call)
        return {"texts": ["a dog"]}


def _as(kind):
    example = flux()
    example.pipeline = kind(**example.pipeline.components)
    return example


def test_pipelines_that_cannot_be_followed_are_errors(binder, text_condition):
    for kind, words in {
        TwoPasses: "in several passes",
        NoSteps: "NoSteps does not step its scheduler",
        OnlyWords: "OnlyWords returns neither pictures",
    }.items():
        with pytest.raises(AlignerError, match=words):
            steered(_as(kind), [text_condition], binder)


def _refused(example, conditions, binder, **more):
    """The message of a refusal that came before any sampling."""
    calls = []
    for name in example.networks:
        if network := getattr(example.pipeline, name, None):
            network.register_forward_hook(lambda *call: calls.append(call))
    with pytest.raises(AlignerError) as refusal:
        steered(example, conditions, binder, **more)
    assert not calls
    return str(refusal.value)


def test_what_cannot_work_is_refused_before_sampling(binder, text_condition):
    conditions = [text_condition]
    other = load_random_imagebind(seed=5)
    assert "no condition to follow" in _refused(flux(), [], binder)
    assert "no condition to follow" in _refused(flux(), [encoded(binder, "rain", weight=0.0)], binder)
    assert "another binder" in _refused(flux(), [encoded(other, "rain")], binder)
    assert "No gradient" in _refused(flux(), conditions, binder, search=Released())
    assert "No gradient" in _refused(flux(), conditions, binder, search=Search(then=Released()))
    assert "The seed must be" in _refused(flux(), conditions, binder, seed=2**64 - 1)
    for name, value in {"generator": torch.Generator(), "latents": torch.zeros(1)}.items():
        assert f"its own {name}" in _refused(flux(), conditions, binder, call={name: value})
    assert "num_images_per_prompt=2" in _refused(flux(), conditions, binder, call={"num_images_per_prompt": 2})
    assert "Give fps" in _refused(wan(), conditions, binder, fps=None)
    assert "frame rate must be" in _refused(wan(), conditions, binder, fps=0)
    assert "IPNDMScheduler does not show" in _refused(flux(diffusers.IPNDMScheduler()), conditions, binder)
    for name, words in {"transformer": "has no denoising network", "scheduler": "has no scheduler"}.items():
        example = flux()
        setattr(example.pipeline, name, None)
        assert words in _refused(example, conditions, binder)


def test_what_the_first_estimate_shows_is_refused_after_it(binder, text_condition):
    two = {"prompt_embeds": torch.zeros(2, 6, 16), "pooled_prompt_embeds": torch.zeros(2, 16)}
    with pytest.raises(AlignerError, match="one by one"):
        steered(flux(), [text_condition], binder, call=two)
    with pytest.raises(AlignerError, match="nothing to choose from"):
        steered(flux(), [text_condition], binder, search=Search(candidates={"audio": 9}))
    with pytest.raises(AlignerError, match="steers audio, but video is generated"):
        steered(flux(), [replace(text_condition, streams=("audio",))], binder)
    late = Timeline(target=Interval(5.0, 6.0))
    with pytest.raises(AlignerError, match="5 s"):
        steered(stable_audio(), [replace(text_condition, timeline=late)], binder)


def test_a_binder_without_weights_steers():
    """The protocol of binders promises none: this one compares colours."""
    colours = Colours()
    found = steer(
        stable_diffusion_xl().pipeline,
        stable_diffusion_xl().call,
        seed=1,
        binder=colours,
        conditions=[encoded(colours, "red")],
        search=replace(SEARCH, comparison=Comparison(clips="whole")),
    )
    assert found.rehearsed.best.alignment.overall.isfinite().all()


def test_a_forward_that_keeps_a_state_is_sampled_anew(binder, text_condition):
    """As a third-party cache that mixes in its last output."""

    def stateful(example):
        network = example.pipeline.transformer
        forward, last = network.forward, {}

        def mixed(*arguments, **named):
            (output,) = forward(*arguments, **named | {"return_dict": False})
            time = float(named["timestep"].max())
            result = (output + last["output"]) / 2 if time < last.get("time", 0) else output
            last.update(time=time, output=result)
            return (result,)

        network.forward = mixed
        return example

    found = steered(stateful(flux()), [text_condition], binder)
    require_same(found.output, plain(stateful(flux()), found.seed))


@pytest.mark.parametrize(
    "changed",
    [{"seed": 1.5}, {"call": [1]}, {"fps": "8"}, {"sample_rate": 0}, {"search": None}, {"pair_weight": float("nan")}],
)
def test_values_of_another_kind_are_refused(binder, text_condition, changed):
    example = ltx2()
    usual = {"seed": 1, "call": example.call, "search": SEARCH}
    with pytest.raises(AlignerError):
        steer(example.pipeline, **usual | changed, binder=binder, conditions=[text_condition])
