"""What a result follows: embeddings with a weight, a timeline, and the streams that they steer."""
