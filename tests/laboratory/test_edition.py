"""The edition changes with what code does, and with nothing else."""

from __future__ import annotations

from laboratory.edition import digest_of, edition

SOURCE = 'def rate(steps):\n    """How fast."""\n    return 0.1 / steps\n'


def test_words_and_layout_do_not_count():
    same = '"""A module."""\n\n\ndef rate(\n    steps,\n):\n    # fast at first\n    return 0.1 / steps\n'
    assert digest_of([("a.py", SOURCE)]) == digest_of([("a.py", same)])


def test_what_code_does_counts_and_so_does_its_place():
    before = digest_of([("a.py", SOURCE)])
    assert digest_of([("a.py", SOURCE.replace("0.1", "0.2"))]) != before
    assert digest_of([("b.py", SOURCE)]) != before


def test_the_edition_is_that_of_the_code_as_it_stands():
    assert edition() == edition() and len(edition()) == 16
