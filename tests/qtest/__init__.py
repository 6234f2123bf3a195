# SPDX-License-Identifier: GPL-2.0-only
"""The tests of the QEMU device by itself.

  cases_*.py    the cases
  lib/          what they share: see the first line of each file
"""
