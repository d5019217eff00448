"""The steps of a deploy: each state with the time at which it was entered, in one JSON column."""

import json
import time

from paas.model import DeployState

STEPS = "steps = json_insert(steps, '$[#]', json(?))"  # `[#]` is one past the last


def step(state: DeployState) -> str:
    """Return what STEPS takes as its value: the state, entered now."""
    return json.dumps([str(state), time.time()])


def steps_from(text: str) -> tuple[tuple[DeployState, float], ...]:
    """Return the steps as they stand in a row."""
    return tuple((DeployState(state), float(at)) for state, at in json.loads(text))
