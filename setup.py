"""What stands beside the package in a clone goes inside it in a wheel; everything else is said in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ("configs", *sorted(f"checkpoints/{path.name}" for path in ROOT.glob("checkpoints/posterior*")))
"""Read by polyinv/runtime/resources.py."""


class BuildWithShipped(build_py):
    """Copies configurations and the released model into ``polyinv/shipped``."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        inside = Path(self.build_lib, "polyinv", "shipped")
        shutil.rmtree(inside, ignore_errors=True)  # of an earlier build
        for folder in SHIPPED:
            shutil.copytree(ROOT / folder, inside / folder)


setup(cmdclass={"build_py": BuildWithShipped})
