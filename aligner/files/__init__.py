"""Weight files and folders: read without running their code, written whole or not at all, downloaded and checked."""
