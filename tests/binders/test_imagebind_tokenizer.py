"""Token ids against the reference tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from aligner.binders.imagebind.tokenizer import tokenize

START, END = 49406, 49407

HARD = [
    "a dog barks",
    "",
    "   \t\n  ",
    "A  DOG\n\nBarks\tLOUDLY",
    "can't won't it's they're I'll we've he'd",
    "1234567890 3.14 1,000",
    "crème brûlée, naïve façade, Ångström",
    "🐶 woof 🎉🎉 👩‍👩‍👧‍👦 🇩🇪",
    "狗在叫,雨声",
    "犬が吠える カタカナ",
    "개가 짖는다",
    "Собака лает",
    "كلب ينبح",
    "rain &amp; thunder &lt;loud&gt; &amp;amp; &#39;quoted&#39;",
    "don\u2019t \u201cquote\u201d me\u2026 em\u2014dash",
    "schÃ¶n cafÃ© â€œmojibakeâ€\x9d",
    "ﬁne ﬂuﬃer ligatures ｆｕｌｌ ｗｉｄｔｈ",
    "zero\u200bwidth non\u00a0breaking \u3000ideographic",
    "e\u0301 combining n\u0303",
    "!!!???...---===",
    "https://example.org/a?b=c&d=e#f user@example.org",
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "\U0001d4d7\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8",
    "\x00\x01 control \x7f",
    "word " * 75,
]


@pytest.fixture(scope="module")
def reference_tokenizer(reference):
    folder = Path(reference.package.__path__[0])
    (vocabulary,) = folder.rglob("bpe_simple_vocab_16e6.txt.gz")
    return reference.preprocessors.SimpleTokenizer(bpe_path=str(vocabulary))


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_ids_equal_the_reference(text, reference_tokenizer):
    assert torch.equal(tokenize([text])[0], reference_tokenizer(text))


@pytest.mark.parametrize("words, kept", [(74, 74), (75, 75), (76, 75), (500, 75)])
def test_too_long_a_text_keeps_its_end_mark(words, kept):
    ids = tokenize(["dog " * words])[0].tolist()
    dog = tokenize(["dog"])[0, 1].item()
    assert ids == [START] + kept * [dog] + [END] + (75 - kept) * [0]


def test_a_batch_equals_its_texts_alone():
    texts = ["a dog barks", "", "rain"]
    batch = tokenize(texts)
    assert batch.shape == (3, 77) and batch.dtype == torch.int64
    assert torch.equal(batch, torch.cat([tokenize([text]) for text in texts]))
