# SPDX-License-Identifier: GPL-2.0-only
"""A file for each lane: what it proves, its tasks, and what they need; see lib/lane.py."""
