"""The graphs that artists open: templates and subgraphs, described in Python and written as ComfyUI's JSON.

`python -m laboratory.graphs` writes `workflows/*.json`, `subgraphs/*.json` and the titles of their cards in `locales`.
"""
