"""Finished runs in a directory, one file each, named by everything the figures depend on."""

import json
import os
from pathlib import Path


class Cache:
    def __init__(self, directory: Path | None, reuse: Path | None = None):
        self.directory = directory
        self.runs: dict[str, dict] = {}
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        if reuse:
            for run in json.loads(reuse.read_text(encoding="utf-8")):
                if "key" in run:
                    self.runs[run["key"]] = run

    def get(self, key: str) -> dict | None:
        if key not in self.runs and self.directory:
            path = self._path(key)
            if path.exists():
                self.runs[key] = json.loads(path.read_text(encoding="utf-8"))
        return self.runs.get(key)

    def put(self, key: str, run: dict) -> None:
        self.runs[key] = run
        if self.directory:
            path = self._path(key)
            path.parent.mkdir(exist_ok=True)
            # Two benches may share a directory.
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(run), encoding="utf-8")
            temporary.replace(path)

    def _path(self, key: str) -> Path:
        assert self.directory
        return self.directory / key[:2] / f"{key}.json"
