"""The kernels that a wheel carries: a second place of cache entries, which is only read.

`synap warmup --all-tiers` makes the same in the folder `portable` of the cache directory, for an image that is to run
on other processors.

    synap/_kernels / manifest.json                          what is there, and for what it was compiled
    synap/_kernels / digest of the sources / function.types.nbc      a pickle

`ship` writes them while a wheel is built; a source tree has none, and then nothing here does or says anything. A file
is used only if its SHA-256 is the one in the manifest. That detects damage; the manifest itself is trusted as much as
the `.py` files beside it, since whoever can replace one can replace the others. In the cache directory it is trusted
as the other entries there are.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from synap.compiler.entries import Entries

FOLDER = "_kernels"
PORTABLE = "portable"
MANIFEST = "manifest.json"


def place_of_kernels(package: Path, cache: Path | None) -> Path:
    """Return where kernels for levels of processors lie: in the package, or in the user's cache directory."""
    shipped = package / FOLDER
    return shipped if cache is None or (shipped / MANIFEST).is_file() else cache / PORTABLE


class Manifest(NamedTuple):
    """What a package's kernels are, and for what they were compiled."""

    settings: dict[str, str]  # `digests.settings()` of the process that compiled them
    levels: list[str]  # levels of processors, the lowest first
    modules: dict[str, str]  # module with compiled functions -> its digest
    files: dict[str, str]  # name of an entry -> SHA-256 of the file
    facts: dict[str, Any]  # name of an entry of `sources` -> facts about a source file


class Shipped:
    """The kernels in `directory`; trouble is reported through `entries`."""

    def __init__(self, directory: Path, entries: Entries) -> None:
        self.directory = directory
        self._entries = entries

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest, read once; None if there is none, or none that can be read."""
        try:
            manifest = Manifest(**json.loads((self.directory / MANIFEST).read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            self._warn(f"{MANIFEST} cannot be read, so they are compiled here: {error}")
            return None
        parts = manifest.settings, manifest.modules, manifest.files, manifest.facts
        if not all(isinstance(part, dict) for part in parts) or not isinstance(manifest.levels, list):
            self._warn(f"{MANIFEST} is damaged, so they are compiled here")
            return None
        return manifest

    def facts(self, name: str) -> Any:
        """Return what `sources` would keep under this name; None if that is not here."""
        return self.manifest.facts.get(name) if self.manifest else None

    def read(self, name: str) -> bytes | None:
        """Return the entry `name` (`digest/file`); None if it is missing or not what the manifest says."""
        wanted = self.manifest.files.get(name) if self.manifest else None
        if wanted is None:
            return None
        try:
            content = (self.directory / name).read_bytes()
        except OSError as error:
            self._warn(f"a file cannot be read and is compiled here: {error}")
            return None
        if hashlib.sha256(content).hexdigest() != wanted:
            self._warn(f"{name} is not the file that the manifest describes, and is compiled here")
            return None
        return content

    def _warn(self, what: str) -> None:
        self._entries.warn("shipped", f"kernels in {self.directory}: {what}")
