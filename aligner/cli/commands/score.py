"""score: measures of a folder of results, by itself and against a folder of references."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence

from ...errors import AlignerError
from ...files.atomic import written_whole
from ..av_benchmark import require_exportable, write_for_av_benchmark
from ..checks import check_output
from ..measures import Measure, bind_measures, caveats, not_compared, paired_measures, set_measures, timing_measures
from ..model_files import find_models
from ..models import load_models
from ..observations import embedded, embedded_captions, timing
from ..published import published_measures, published_tools
from ..published_networks import PUBLISHED_NETWORKS
from ..result_folder import Result, read_captions, read_results, require_names

TIMING = "when things happen"
PUBLISHED = "as in published tables, which guidance does not optimise"
BINDING = "by {}, which guidance optimises: compare with unguided results"


def score(options: Namespace) -> None:
    """score: a table on the screen, and as JSON where asked for."""
    if options.json:
        check_output(options.json, (".json",))
    results = read_results(options.folder)
    reference = read_results(options.reference, results) if options.reference else {}
    captions = _captions(options, results)
    if not (reference or captions or any(result.video and result.sound for result in results.values())):
        raise AlignerError(
            f"The results in {options.folder} have nothing to be compared with: none is a video with "
            "sound. Give --reference or --captions."
        )
    if options.av_benchmark:
        require_exportable(options.av_benchmark, results, reference, options.json)
    tools = published_tools(options, results, reference)
    models = load_models(options, find_models(options, "imagebind"))
    ours = embedded(models, results, options.clips, "results")
    texts = embedded_captions(models, captions) if captions else {}
    theirs = embedded(models, reference, options.clips, "reference")
    published, missing = published_measures(tools, results, reference, models.device, options.seed)
    groups = {
        TIMING: timing_measures(timing(results), options.seed),
        PUBLISHED: published,
        BINDING.format(models.binder.identity): [
            *bind_measures({**ours, **texts}, options.seed),
            *paired_measures(ours, theirs, options.seed),
            *set_measures(ours, theirs, models.binder.identity),
        ],
    }
    measures = [measure for group in groups.values() for measure in group]
    notes = [*caveats(measures), *not_compared(ours, theirs), *missing]
    _print_table(groups, notes)
    if options.json:
        _write_json(options, groups, notes)
        print(f"Wrote {options.json}")
    if options.av_benchmark:
        said = write_for_av_benchmark(options.av_benchmark, results, reference, captions)
        print(f"Wrote {options.av_benchmark}. In the folder of av-benchmark:", *said, sep="\n")


def _captions(options: Namespace, results: Mapping[str, Result]) -> dict[str, str]:
    if not options.captions:
        return {}
    captions = read_captions(options.captions)
    require_names(results, captions, options.captions)
    return {name: captions[name] for name in results}


def _print_table(groups: Mapping[str, Sequence[Measure]], notes: Sequence[str]) -> None:
    width = max(len(measure.name) for measures in groups.values() for measure in measures)
    for title, measures in groups.items():
        if measures:
            print(f"\n{title}\n{'':{width}}    value    95 % interval   files")
        for measure in measures:
            interval = "{:+.4f} {:+.4f}".format(*measure.interval) if measure.interval else ""
            print(f"{measure.name:{width}}  {measure.value:+.4f}  {interval:>15}  {measure.files:6}")
    print("".join(f"\n{note}" for note in notes))


def _write_json(options: Namespace, groups: Mapping[str, Sequence[Measure]], notes: Sequence[str]) -> None:
    """Write all that the table shows, and the figures of each file."""
    document = {
        "results": options.folder,
        "reference": options.reference,
        "captions": options.captions,
        "binder": options.binder.path if options.binder else options.imagebind or options.models,
        "clips": options.clips,
        "networks": {each.option: getattr(options, each.option) for each in PUBLISHED_NETWORKS},
        "seed": options.seed,
        "measures": [
            {
                "name": measure.name,
                "group": title,
                "value": measure.value,
                "interval": measure.interval,
                "files": measure.files,
                "each": measure.each,
            }
            for title, measures in groups.items()
            for measure in measures
        ],
        "notes": notes,
    }
    with written_whole(options.json) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
