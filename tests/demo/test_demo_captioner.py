"""The demo's captioner names what is seen and heard."""

from aligner.demo.events import EVENTS
from aligner.demo.family import load_demo_captioner
from laboratory.world import SAMPLE_RATE, clip, scene


def test_events_are_named_from_a_picture_and_from_a_sound():
    captioner, seen, heard = load_demo_captioner(), [], []
    for number in range(8):
        one = clip(scene("development", number))
        wanted, middle = one.scene.event.captions[0], int((one.scene.times[0] + one.scene.event.seconds / 2) * 8)
        seen.append(captioner.of_picture(one.frames[middle]) == wanted)
        heard.append(captioner.of_sound(one.waveform, SAMPLE_RATE) == wanted)
    assert sum(seen) >= 6 and sum(heard) >= 6, (seen, heard)


def test_no_more_words_than_asked():
    picture = clip(scene("development", 0)).frames[5]
    assert len(load_demo_captioner().of_picture(picture, longest=2).split()) == 2
    assert load_demo_captioner().of_picture(picture) in [event.captions[0] for event in EVENTS]
