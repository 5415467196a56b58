"""The demo's captioner describes the event of a picture or a sound."""

from aligner.demo.events import EVENTS
from aligner.demo.family import load_demo_captioner
from laboratory.world import SAMPLE_RATE, clip, scene


def test_the_captioner_describes_the_event_of_a_picture_and_of_a_sound():
    captioner, seen, heard = load_demo_captioner(), [], []
    for number in range(8):
        one = clip(scene("development", number))
        wanted, middle = one.scene.event.captions[0], int((one.scene.times[0] + one.scene.event.seconds / 2) * 8)
        seen.append(captioner.of_picture(one.frames[middle]) == wanted)
        heard.append(captioner.of_sound(one.waveform, SAMPLE_RATE) == wanted)
    assert sum(seen) >= 6 and sum(heard) >= 6, (seen, heard)


def test_a_caption_has_at_most_the_given_number_of_words():
    picture = clip(scene("development", 0)).frames[5]
    assert len(load_demo_captioner().of_picture(picture, longest=2).split()) == 2
    assert load_demo_captioner().of_picture(picture) in [event.captions[0] for event in EVENTS]
