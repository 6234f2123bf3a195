# SPDX-License-Identifier: GPL-2.0-only
"""The numbers of include/loopdma/hw.h, which is their only definition."""

import re

from lib import common

HEADER = common.ROOT / "include" / "loopdma" / "hw.h"


class Numbers:
    """Constants of the header as attributes, without their prefix LOOPDMA_."""

    def __init__(self, text):
        found = re.findall(r"^#define LOOPDMA_(\w+)\s+(0x[0-9a-f]+|\d+)U?\b|"
                           r"^\tLOOPDMA_(\w+)\s*= (\d+),", text, re.MULTILINE)
        self.values = {name or member: int(number or value, 0)
                       for name, number, member, value in found}

    def __getattr__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"hw.h has no LOOPDMA_{name}") from None

    def name(self, prefix, value):
        """The constant of a kind that has a value, to say it in a message."""
        return next((name for name, number in self.values.items()
                     if name.startswith(prefix) and number == value), str(value))


HW = Numbers(HEADER.read_text(encoding="ascii"))

# What registers are without a device behind them.
ONES = 0xffffffff

# Device registers by access, in the order of the specification.
READ_ONLY = ["ID", "VERSION", "CAPS", "TOPOLOGY", "RING_LIMITS", "COPY_LIMITS", "MAX_LEN",
             "FIFO_DEPTH", "FIFO_LIMITS", "XOR_LIMITS", "CHANNEL_ERRORS", "CNT_MMIO_READS",
             "CNT_INTERRUPTS"]
DEVICE = READ_ONLY + ["CONTROL", "INT_STATUS", "EVENT", "EVENT_VECTOR", "RAISE", "TC_GONE"]

# Channel registers.
CH_COUNTERS = ["CH_CNT_DOORBELLS", "CH_CNT_DESCRIPTORS", "CH_CNT_BYTES_LO",
               "CH_CNT_BYTES_HI", "CH_CNT_INTERRUPTS"]
CH_READ_ONLY = ["CH_CAPS", "CH_STATUS", "CH_FIFO_LEVEL"] + CH_COUNTERS
CH_CONFIG = ["CH_RING_LO", "CH_RING_HI", "CH_RING_SIZE", "CH_VECTOR", "CH_COMP_LO",
             "CH_COMP_HI"]
# Those that belong to the peripheral; reading the first takes data.
CH_PERIPHERAL = ["CH_FIFO_DATA", "CH_PERIPH", "CH_RATE"]
CH_RW = CH_PERIPHERAL + ["CH_PRIORITY"]
CH_WRITE_ONLY = ["CH_DOORBELL", "CH_ABORT", "CH_TC_STEP"]
CH_TEST = ["CH_TC_HOLD", "CH_TC_FAIL", "CH_TC_FAIL_BYTES", "CH_TC_DROP_IRQ", "CH_TC_LIE"]
CH_FAULTS = ["CH_TC_DELAY", "CH_TC_REORDER", "CH_TC_SPURIOUS", "CH_TC_EARLY", "CH_TC_STUCK",
             "CH_TC_ADDR_BITS"]
CHANNEL = CH_READ_ONLY + ["CH_CONTROL"] + CH_CONFIG + CH_RW + CH_WRITE_ONLY + CH_TEST + CH_FAULTS
