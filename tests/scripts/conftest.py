# SPDX-License-Identifier: GPL-2.0-only
"""What tests of the scripts ask for by the name of an argument."""

import shutil

import pytest


class Programs:
    """A directory of programs to stand in for the real ones."""

    def __init__(self, directory):
        self.directory = directory

    def link(self, *names):
        for name in names:
            found = shutil.which(name)
            if not found:
                pytest.skip(f"no {name} here")
            (self.directory / name).symlink_to(found)
        return self

    def write(self, name, text):
        path = self.directory / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)
        return self

    def env(self, **more):
        """With them and no others."""
        return dict(more, PATH=str(self.directory))


@pytest.fixture
def programs(tmp_path):
    directory = tmp_path / "programs"
    directory.mkdir()
    return Programs(directory)
