# SPDX-License-Identifier: GPL-2.0-only
"""What the scripts and the lanes share."""
