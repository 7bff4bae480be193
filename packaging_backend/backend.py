"""The build backend (PEP 517): setuptools, with a wheel that carries compiled kernels.

On Linux on x86-64 the wheel is for one Python, and has kernels for the levels of processors that SYNAP_WHEEL_LEVELS
names, by default both; if that is empty, and on other machines, the wheel is pure and has none. Compiling needs what
Synap needs at run time. Source distributions and editable installs are those of setuptools: without kernels, and
quickly made.
"""

import base64
import csv
import hashlib
import io
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (  # the hooks that stay as they are
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable", "get_requires_for_build_sdist",
    "get_requires_for_build_wheel", "prepare_metadata_for_build_editable", "prepare_metadata_for_build_wheel",
]  # fmt: skip

LEVELS = "x86-64-v2,x86-64-v3"
ROOT = Path(__file__).resolve().parent.parent


def chosen_levels() -> str:
    """Return the levels that this wheel has kernels for, divided by commas; an empty text for a pure wheel."""
    return os.environ.get("SYNAP_WHEEL_LEVELS", LEVELS) if not why_pure() else ""


def why_pure() -> str:
    """Return why this machine cannot compile kernels for others; an empty text if it can."""
    here = platform.python_implementation(), platform.system(), platform.machine()
    if here == ("CPython", "Linux", "x86_64"):
        return ""
    wanted = "CPython on Linux on x86_64"
    return f"the wheel has no compiled kernels: they are for {wanted}, and this is {' on '.join(here)}"


def get_requires_for_build_wheel(config_settings=None):
    """Return what building a wheel needs: for one with kernels all that Synap itself needs."""
    needed = build_meta.get_requires_for_build_wheel(config_settings)
    if not chosen_levels():
        return needed
    return needed + tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the wheel and return its name."""
    levels = chosen_levels()
    if not levels:
        print(why_pure() or "SYNAP_WHEEL_LEVELS is empty: the wheel has no compiled kernels", file=sys.stderr)
        return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    with tempfile.TemporaryDirectory() as place:
        kernels = Path(place) / "kernels"
        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])  # where pip put what was asked for
        command = [sys.executable, str(Path(__file__).with_name("kernels.py")), str(kernels), levels]
        subprocess.run(command, cwd=ROOT, env=dict(os.environ, PYTHONPATH=path), check=True)
        pure = build_meta.build_wheel(place, config_settings, metadata_directory)
        number = "{}{}".format(*sys.version_info[:2])
        tag = f"cp{number}-cp{number}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        name = pure.replace("py3-none-any", tag)
        add_kernels(Path(place) / pure, kernels, tag, Path(wheel_directory) / name)
    return name


def add_kernels(pure: Path, kernels: Path, tag: str, wheel: Path) -> None:
    """Write `wheel`: the files of a pure wheel and the kernels, with the metadata of a wheel for one platform."""
    rows = []
    with zipfile.ZipFile(pure) as old, zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:

        def add(name: str, data: bytes, mode: int = 0o644) -> None:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([name, f"sha256={digest}", str(len(data))])

        for path in sorted(path for path in kernels.rglob("*") if path.is_file()):
            add(f"synap/_kernels/{path.relative_to(kernels).as_posix()}", path.read_bytes())
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                record = entry.filename  # written last, with the new files
                continue
            if entry.filename.endswith(".dist-info/WHEEL"):
                text = data.decode().replace("Tag: py3-none-any", f"Tag: {tag}")
                data = text.replace("Root-Is-Purelib: true", "Root-Is-Purelib: false").encode()
            add(entry.filename, data, (entry.external_attr >> 16) & 0o777 or 0o644)
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([*rows, [record, "", ""]])
        add(record, table.getvalue().encode())
