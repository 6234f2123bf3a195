# SPDX-License-Identifier: GPL-2.0-only
"""What a lane is made of.

A lane is a file in scripts/lanes/.  Its docstring says what it proves.  tasks() gives its
tasks.  on_tree(tree), if there is one, gives those for a
kernel tree of the user.
"""

import dataclasses
from collections.abc import Callable

from lib.common import Fail


@dataclasses.dataclass(frozen=True)
class Need:
    """What is built before the tasks that need it."""
    name: str
    build: Callable = dataclasses.field(compare=False)
    after: tuple = dataclasses.field(default=(), compare=False)     # needs that it needs itself
    fetched: bool = dataclasses.field(default=False, compare=False)     # not compiled


def all_needs(needs):
    """The needs, each once, and behind those that it needs itself."""
    found = {}
    for need in needs:
        found |= dict.fromkeys((*all_needs(need.after), need))
    return list(found)


@dataclasses.dataclass(frozen=True)
class Task:
    """A part of a lane, which runs beside others."""
    name: str
    run: Callable           # gives a list of cases
    needs: tuple = ()       # what is built before it
    full: bool = False      # too slow for `make check`
    daily: bool = False     # for `make check` alone: --full has one that does more of the same


@dataclasses.dataclass
class Parameter:
    """A number that says how much a task is to do."""
    value: int
    least: int
    what: str


# {lane.name: Parameter}, of the lanes that are loaded.
parameters = {}


def parameter(name, value, what, least=1):
    """A parameter with its default: to be asked for its value when a task runs."""
    parameters[name] = Parameter(value, least, what)
    return parameters[name]


def set_parameter(text):
    """Sets a parameter by NAME=NUMBER."""
    name, _, number = text.partition("=")
    if name not in parameters:
        raise Fail(f"no parameter '{name}': choose from {', '.join(parameters)}")
    one = parameters[name]
    if not number.isdigit() or int(number) < one.least:
        raise Fail(f"{name}={number}: give a number of {one.least} or more ({one.what})")
    one.value = int(number)
