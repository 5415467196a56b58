"""Captions by small models with random weights, in folders as on the model hub."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from aligner.captioning import load_captioner
from aligner.errors import AlignerError, CheckpointError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
PICTURE = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
SOUND = 0.1 * torch.randn(16000, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory) -> Path:
    """BLIP, which needs no prompt."""
    from transformers import (
        BertTokenizerFast,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        BlipProcessor,
    )

    folder = tmp_path_factory.mktemp("blip")
    torch.manual_seed(0)
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BlipConfig(
        text_config={
            **tower,
            "vocab_size": len(WORDS),
            "projection_dim": 8,
            "max_position_embeddings": 64,
            "encoder_hidden_size": 16,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "pad_token_id": 0,
            "sep_token_id": 3,
        },
        vision_config={**tower, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BlipProcessor(
        BlipImageProcessor(size={"height": 32, "width": 32}), BertTokenizerFast(str(folder / "vocab.txt"))
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hearing(tmp_path_factory) -> Path:
    """Whisper, which writes captions after fine-tuning."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    folder = tmp_path_factory.mktemp("whisper")
    torch.manual_seed(0)
    letters = {letter: number for number, letter in enumerate([*"abcdefgh", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    config = WhisperConfig(
        vocab_size=len(letters),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=8,
        max_source_positions=50,
        max_target_positions=32,
        pad_token_id=8,
        bos_token_id=8,
        eos_token_id=8,
        decoder_start_token_id=8,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperProcessor(
        WhisperFeatureExtractor(feature_size=8, chunk_length=1),
        WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")),
    ).save_pretrained(folder)
    return folder


def test_a_picture_is_described_always_alike(seeing):
    captioner = load_captioner(seeing)
    assert captioner.sees and not captioner.hears
    caption = captioner.of_picture(PICTURE, longest=6)
    assert caption and caption == captioner.of_picture(PICTURE, longest=6)
    assert set(caption.replace(" ", "")) <= set("abcdefghijklmnopqrstuvwxyz")
    assert len(captioner.of_picture(PICTURE, longest=20)) > len(caption)


def test_a_sound_of_any_rate_is_described(hearing):
    captioner = load_captioner(hearing)
    assert captioner.hears and not captioner.sees
    caption = captioner.of_sound(SOUND, 16000, longest=6)
    assert caption and caption == captioner.of_sound(SOUND, 16000, longest=6)
    assert isinstance(captioner.of_sound(SOUND[:4000], 8000, longest=6), str)


def test_no_more_is_written_than_the_decoder_has_positions_for(seeing, hearing):
    """The models have 64 and 32 positions; 4 are reserved for the start of the decoder."""
    for caption, positions in (
        (lambda **options: load_captioner(seeing).of_picture(PICTURE, **options), 64),
        (lambda **options: load_captioner(hearing).of_sound(SOUND, 16000, **options), 32),
    ):
        tokens = []
        assert caption(longest=1000, on_token=lambda: tokens.append(None))
        assert len(tokens) == positions - 4


def instructed(seeing: Path, monkeypatch):
    """BLIP with a chat template: it continues the instruction, as models that follow instructions do."""
    captioner = load_captioner(seeing)
    monkeypatch.setattr(captioner.processor, "chat_template", "{{ messages[0]['content'][1]['text'] }}")
    return captioner


def test_an_instruction_takes_positions_too(seeing, monkeypatch):
    tokens = []
    instructed(seeing, monkeypatch).of_picture(
        PICTURE, instruction="abc " * 14, longest=1000, on_token=lambda: tokens.append(None)
    )
    assert len(tokens) == 64 - 14 - len(["[CLS]", "[SEP]"])


def test_an_instruction_that_leaves_no_room_is_an_error(seeing, monkeypatch):
    with pytest.raises(AlignerError, match="instruction are 72 tokens, but this model holds no more than 64. Shorten"):
        instructed(seeing, monkeypatch).of_picture(PICTURE, instruction="abc " * 70)


def test_it_can_be_stopped_at_every_token(seeing, hearing):
    def stopped(caption) -> int:
        tokens = []

        def on_token() -> None:
            tokens.append(None)
            if len(tokens) == 3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            caption(longest=20, on_token=on_token)
        return len(tokens)

    assert stopped(lambda **options: load_captioner(seeing).of_picture(PICTURE, **options)) == 3
    assert stopped(lambda **options: load_captioner(hearing).of_sound(SOUND, 16000, **options)) == 3


def test_half_precision(seeing):
    captioner = load_captioner(seeing, dtype=torch.bfloat16)
    assert captioner.of_picture(PICTURE, longest=4)


def test_each_is_told_what_it_cannot(seeing, hearing):
    with pytest.raises(AlignerError, match="captions pictures, not sounds"):
        load_captioner(seeing).of_sound(SOUND, 16000)
    with pytest.raises(AlignerError, match="captions sounds, not pictures"):
        load_captioner(hearing).of_picture(PICTURE)


def broken(folder: Path, place: Path, change) -> Path:
    shutil.copytree(folder, place / "broken")
    change(place / "broken")
    return place / "broken"


def named(architecture: str):
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (named("SomebodysOwnModel"), "holds SomebodysOwnModel, which this version"),
        (named("pipeline"), "holds pipeline"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "cannot be loaded"),
        (lambda folder: (folder / "config.json").unlink(), "cannot be read as JSON"),
        (
            lambda folder: (
                (folder / "preprocessor_config.json").unlink(missing_ok=True)
                or (folder / "processor_config.json").unlink(missing_ok=True)
            ),
            "broken",
        ),
    ],
)
def test_a_folder_that_cannot_caption_is_an_error(seeing, tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        load_captioner(broken(seeing, tmp_path, change))


def changed(file: str, **entries):
    """A change of a folder: more entries in one of its configs."""

    def change(folder: Path) -> None:
        path = folder / file
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps(known | entries), encoding="utf-8")

    return change


#: Code that leaves a trace where it runs.
TRAP = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\nraise SystemExit('the code of a folder ran')\n"


def trapped(*changes):
    """A change of a folder: its own code, and configs that name it."""

    def change(folder: Path) -> None:
        for file in ("trap.py", "custom_generate/generate.py"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(TRAP, encoding="utf-8")
        for each in changes:
            each(folder)

    return change


def without(*files: str):
    def change(folder: Path) -> None:
        for file in files:
            (folder / file).unlink(missing_ok=True)

    return change


PROCESSORS = ["processor_config.json", "preprocessor_config.json", "tokenizer_config.json", "config.json"]
FOREIGN = {f"Auto{kind}": "trap.Trap" for kind in ("Processor", "ImageProcessor", "Config", "Model")} | {
    "AutoTokenizer": ["trap.Trap", None]
}


@pytest.fixture
def unasked(monkeypatch):
    """Standard input that answers yes to everything, and the questions that it heard."""
    questions: list[str] = []

    def answer(question: str = "") -> str:
        questions.append(question)
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    return questions


@pytest.mark.parametrize("file", PROCESSORS)
@pytest.mark.parametrize("classes", [{}, {"processor_class": None}, {"processor_class": "SomebodysProcessor"}])
def test_code_of_a_folder_neither_runs_nor_asks(seeing, tmp_path, unasked, monkeypatch, file, classes):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = broken(seeing, tmp_path, trapped(changed(file, auto_map=FOREIGN, **classes)))
    shutil.rmtree(folder / "custom_generate")
    try:
        assert load_captioner(folder).of_picture(PICTURE, longest=3) is not None
    except CheckpointError as error:
        assert "brings code of its own, which never runs here" in str(error)
    assert not unasked and not list(tmp_path.rglob("ran"))


def test_what_only_code_of_the_folder_can_prepare_is_an_error(seeing, tmp_path, unasked):
    change = trapped(
        without("tokenizer_config.json", "preprocessor_config.json"),
        changed("processor_config.json", processor_class="Trap", image_processor=None, auto_map=FOREIGN),
    )
    folder = broken(seeing, tmp_path, change)
    shutil.rmtree(folder / "custom_generate")
    with pytest.raises(CheckpointError, match="broken brings code of its own, which never runs here"):
        load_captioner(folder)
    assert not unasked and not list(tmp_path.rglob("ran"))


def test_a_folder_does_not_generate_by_its_own_code(seeing, tmp_path, unasked):
    """Some versions of transformers refuse such a folder, others load it without its code."""
    folder = broken(seeing, tmp_path, trapped())
    try:
        assert load_captioner(folder).of_picture(PICTURE, longest=3)
    except CheckpointError as error:
        assert "brings code of its own, which never runs here" in str(error)
    assert not unasked and not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
@pytest.mark.parametrize("place", ["", "text_config", "vision_config"])
def test_kernels_that_a_config_names_are_not_looked_for(seeing, tmp_path, monkeypatch, name, place):
    """transformers would ask the model hub for them."""
    asked = []
    monkeypatch.setattr("transformers.modeling_utils.is_kernel", lambda wanted: asked.append(wanted) or False)
    kernel = {name: "somebody/kernel"}
    config = json.loads((seeing / "config.json").read_text(encoding="utf-8"))
    entries = {place: {**config[place], **kernel}} if place else kernel
    captioner = load_captioner(broken(seeing, tmp_path, changed("config.json", **entries)))
    assert captioner.of_picture(PICTURE, longest=6) == load_captioner(seeing).of_picture(PICTURE, longest=6)
    assert "somebody/kernel" not in asked


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/outside.safetensors", "a/b.safetensors", "C:x", 3, "\0"])
def test_weights_outside_of_a_folder_are_not_read(seeing, tmp_path, shard):
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
        index = {"metadata": {}, "weight_map": {"a": shard}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    with pytest.raises(CheckpointError, match="names .*, which is no file beside it"):
        load_captioner(broken(seeing, tmp_path, change))


@pytest.mark.parametrize("index", [b"", b"[]", b'{"weight_map": 3}', b"[" * 100000])
def test_a_damaged_list_of_weights_is_an_error_that_names_it(seeing, tmp_path, index):
    change = lambda folder: (folder / "model.safetensors.index.json").write_bytes(index)  # noqa: E731
    with pytest.raises(CheckpointError, match=r"model.safetensors.index.json is damaged"):
        load_captioner(broken(seeing, tmp_path, change))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("file", ["preprocessor_config.json", "generation_config.json", "model.safetensors"])
def test_a_pipe_in_a_folder_is_an_error_and_nothing_waits_for_it(seeing, tmp_path, file):
    folder = broken(seeing, tmp_path, without(file))
    os.mkfifo(folder / file)
    with pytest.raises(CheckpointError, match=f"{file} is no file that can be read"):
        load_captioner(folder)


def test_an_adapter_does_not_lead_to_a_model_elsewhere(seeing, tmp_path):
    def adapter(folder: Path) -> None:
        text = json.dumps({"base_model_name_or_path": str(tmp_path / "elsewhere"), "peft_type": "LORA"})
        (folder / "adapter_config.json").write_text(text, encoding="utf-8")

    with pytest.raises(CheckpointError, match="broken holds an adapter for another model, not a whole model"):
        load_captioner(broken(seeing, tmp_path, adapter))


def test_quantised_weights_are_refused_before_a_library_fetches_code_for_them(seeing, tmp_path):
    folder = broken(seeing, tmp_path, changed("config.json", quantization_config={"quant_method": "mxfp4"}))
    with pytest.raises(CheckpointError, match="quantised weights, which are not supported. Choose the model in fp32"):
        load_captioner(folder)
