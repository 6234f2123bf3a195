# SPDX-License-Identifier: GPL-2.0-only
"""Each file has the style of the project that it resembles."""

import lint

from lib import needs
from lib.case import verdict
from lib.lane import Task


def tasks():
    return [Task("lint", lambda: [verdict(*pair) for pair in lint.run()],
                 (needs.qemu, needs.kernel_source))]
