"""The graphs that artists open: templates and subgraphs, described in Python and written as ComfyUI's JSON.

`python -m laboratory.graphs` writes `workflows/*.json` and `subgraphs/*.json`. The page shows the names of the files.
"""
