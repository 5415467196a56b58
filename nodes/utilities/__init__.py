"""Nodes beside the samplers: captions, scores, files of prompts."""
