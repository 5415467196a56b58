"""Rules that steer, and the objective that they lower."""
