"""Time without pixels or samples: intervals, clips, curves."""
