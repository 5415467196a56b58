"""What a newcomer runs before downloading anything: small built-in models and example inputs."""
