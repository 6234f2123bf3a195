# SPDX-License-Identifier: GPL-2.0-only
"""The registers of a channel that are written and read back: one table.

What holds for each of them is checked of each line of the table: values, bad ones, without
the capability, resets, migration.  test_table.py has the cases.
"""

import dataclasses

from qtest.lib.hw import HW, ONES


@dataclasses.dataclass
class Register:
    """A register; of its values the last lets a channel be disabled and reset."""
    caps: int               # without this it is not there
    good: tuple             # values that are read back
    # Errors of the guest, with what is read then; and those that leave what was there.
    bad: dict = dataclasses.field(default_factory=dict)
    ignored: tuple = ()

    @property
    def mask(self):
        """The property of a device that has it not."""
        return f"x-caps-mask={self.caps}"


def field(name):
    """What a register is called in a stream."""
    short = name.removeprefix("CH_").removeprefix("TC_").lower()
    return {"periph": "select", "drop_irq": "drop"}.get(short, short)


def reserved(bits, value):
    """Reserved bits, one by one, beside a good value."""
    return {1 << bit | value: value for bit in bits}


def clipped(largest):
    return {largest + 1: largest, ONES: largest}


REGISTERS = {
    "CH_PERIPH": Register(HW.CAPS_PERIPH, (0x0001, 0xff00, 0x3b01),
                          bad=reserved([*range(1, 8), *range(16, 32)], 0x1701)),
    "CH_RATE": Register(HW.CAPS_PERIPH, (1, ONES - 1000, ONES)),
    "CH_PRIORITY": Register(HW.CAPS_PRIORITY, (1, 2, 3), bad=reserved(range(2, 32), 3)),
    "CH_TC_HOLD": Register(HW.CAPS_TESTCTL, (1,), bad=reserved(range(1, 32), 1)),
    "CH_TC_FAIL": Register(HW.CAPS_TESTCTL, (0x00061234, 0x00ffffff),
                           bad=reserved(range(24, 32), 1)),
    "CH_TC_FAIL_BYTES": Register(HW.CAPS_TESTCTL, (0xfedcba98, ONES)),
    "CH_TC_DROP_IRQ": Register(HW.CAPS_TESTCTL, (0x89abcdef, ONES)),
    "CH_TC_LIE": Register(HW.CAPS_TESTCTL, (0x76543210, ONES)),
    "CH_TC_DELAY": Register(HW.CAPS_FAULTS, (0x123456, HW.CH_TC_DELAY_MAX),
                            bad=clipped(HW.CH_TC_DELAY_MAX)),
    "CH_TC_REORDER": Register(HW.CAPS_FAULTS, (33, HW.CH_TC_REORDER_MAX),
                              bad=clipped(HW.CH_TC_REORDER_MAX)),
    "CH_TC_SPURIOUS": Register(HW.CAPS_FAULTS, (0x7edcba98, 0x7fffffff)),
    "CH_TC_EARLY": Register(HW.CAPS_FAULTS, (0x13579bdf, ONES)),
    "CH_TC_STUCK": Register(HW.CAPS_FAULTS, (4, 3, 2, 1), ignored=(5, 0x80000000, ONES)),
    "CH_TC_ADDR_BITS": Register(HW.CAPS_FAULTS, (47, HW.CH_TC_ADDR_BITS_MAX),
                                bad=clipped(HW.CH_TC_ADDR_BITS_MAX)),
}
