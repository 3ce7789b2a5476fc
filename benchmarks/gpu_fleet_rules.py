"""The rules by which GPU machines come and go, read from where they stand.

Not a benchmark itself. Terraform's module `gpu_workers` as an environment calls it, the timers and
the script on the machines, and the prices of the environment's README: no number is copied.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

TERRAFORM = Path(__file__).resolve().parents[1] / "terraform"
_OPTIONS = SerializationOptions(with_comments=False, strip_string_quotes=True)

Block = dict[str, Any]


class MissingDataError(ValueError):
    """A value that an expression needs was not told."""


@dataclass(frozen=True)
class Metric:
    """One metric that an expression names."""

    namespace: str
    name: str
    statistic: str


@dataclass(frozen=True)
class Rules:
    """What decides how many machines there are."""

    min_machines: int
    max_machines: int
    is_protected: bool
    """New machines are protected from scale-in."""
    warmup_seconds: float
    first_to: int
    """Machines that the alarm sets; the adjustment is exact."""
    first_when: str
    """Expression of the alarm; `first_threshold` or more, in `first_periods`, sets it off."""
    first_threshold: float
    first_periods: int
    first_metrics: Mapping[str, Metric]
    more_target: float
    more_value: str
    """Expression that is held at the target."""
    more_metrics: Mapping[str, Metric]
    more_scales_in: bool
    idle_seconds: float
    """After so long without a job the worker ends."""
    metric_every_seconds: float
    leave_after_boot_seconds: float
    leave_every_seconds: float
    leaving_lowers: bool
    """A machine that was idle takes itself out of the group's number."""
    taken_lowers: bool
    """So does one that AWS takes away."""
    spot_dollars: float
    on_demand_dollars: float


def read_rules(environment: str = "team") -> Rules:
    """Read them as an environment uses them.

    Raises:
        ValueError: If something is not where it was; the simulation would be of something else.
    """
    folder = TERRAFORM / "environments" / environment
    module = TERRAFORM / "modules/gpu_workers"
    given = _blocks(folder / "main.tf", "module")["gpu_workers"]
    outer = {name: body.get("default") for name, body in _variables(folder).items()}
    inner = {name: body.get("default") for name, body in _variables(module).items()}
    inner |= {name: _resolved(value, outer) for name, value in given.items()}

    def number(word: object) -> float:
        return float(str(_resolved(word, inner)))

    group = _resource(module, "aws_autoscaling_group", "this")
    step = _resource(module, "aws_autoscaling_policy", "first")
    alarm = _resource(module, "aws_cloudwatch_metric_alarm", "first")
    more = _resource(module, "aws_autoscaling_policy", "more")
    tracking = _one(more["target_tracking_configuration"])
    custom = _one(tracking["customized_metric_specification"])["metrics"]
    if step["adjustment_type"] != "ExactCapacity":
        raise ValueError("the first machine is no longer started by an exact capacity")
    if alarm["comparison_operator"] != "GreaterThanOrEqualToThreshold":
        raise ValueError("the alarm compares otherwise than the simulation does")
    files = TERRAFORM / "modules/machine_config/files"
    leave = files / "prismata-leave.timer"
    idle, taken = _capacities(files / "prismata-leave")
    spot, on_demand = _prices(folder / "README.md")
    return Rules(
        min_machines=int(group["min_size"]),
        max_machines=int(number(group["max_size"])),
        is_protected=_is_true(group["protect_from_scale_in"]),
        warmup_seconds=float(group["default_instance_warmup"]),
        first_to=int(_one(step["step_adjustment"])["scaling_adjustment"]),
        first_when=_expression(alarm["metric_query"]),
        first_threshold=float(alarm["threshold"]),
        first_periods=int(alarm["evaluation_periods"]),
        first_metrics={
            query["id"]: Metric(*_names(_one(query["metric"])), _one(query["metric"])["stat"])
            for query in alarm["metric_query"]
            if "metric" in query
        },
        more_target=number(tracking["target_value"]),
        more_value=_expression(custom),
        more_metrics={
            query["id"]: Metric(
                *_names(_one(_one(query["metric_stat"])["metric"])),
                _one(query["metric_stat"])["stat"],
            )
            for query in custom
            if "metric_stat" in query
        },
        more_scales_in=not _is_true(tracking["disable_scale_in"]),
        idle_seconds=number("${var.idle_seconds}"),
        metric_every_seconds=_timer(files / "prismata-metric.timer", "OnUnitInactiveSec"),
        leave_after_boot_seconds=_timer(leave, "OnBootSec"),
        leave_every_seconds=_timer(leave, "OnUnitInactiveSec"),
        leaving_lowers=idle,
        taken_lowers=taken,
        spot_dollars=spot,
        on_demand_dollars=on_demand,
    )


def evaluate(expression: str, values: Mapping[str, float | None]) -> float:
    """Return what CloudWatch's metric math makes of an expression; None is a missing value.

    Raises:
        MissingDataError: If it needs a value that is missing.
        ValueError: If it uses what is not known here.
    """
    python = re.sub(r"\bAND\b", "and", expression)
    return _value_of(ast.parse(python, mode="eval").body, values)


_OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def _value_of(node: ast.expr, values: Mapping[str, float | None]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            found = values[name]
            if found is None:
                raise MissingDataError(f"{name} has no value")
            return found
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value_of(left, values), _value_of(right, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return float(_OPERATORS[type(op)](_value_of(left, values), _value_of(right, values)))
        case ast.BoolOp(op=ast.And(), values=parts):
            return float(all(_value_of(part, values) for part in parts))
        case ast.Call(func=ast.Name(id="IF"), args=[condition, yes, no]):
            return _value_of(yes if _value_of(condition, values) else no, values)
        case ast.Call(func=ast.Name(id="FILL"), args=[ast.Name(id=name), instead]):
            found = values[name]
            return _value_of(instead, values) if found is None else found
    raise ValueError(f"the simulation does not know {ast.unparse(node)}")


def _expression(queries: list[Block]) -> str:
    (found,) = [query["expression"] for query in queries if "expression" in query]
    return str(found)


def _names(metric: Block) -> tuple[str, str]:
    return str(metric["namespace"]), str(metric["metric_name"])


def _blocks(path: Path, kind: str) -> dict[str, Block]:
    parsed = hcl2.loads(path.read_text("utf-8"), serialization_options=_OPTIONS)
    return {name: body for block in parsed.get(kind, []) for name, body in block.items()}


def _variables(folder: Path) -> dict[str, Block]:
    return _blocks(folder / "variables.tf", "variable")


def _resource(folder: Path, kind: str, name: str) -> Block:
    parsed = hcl2.loads((folder / "main.tf").read_text("utf-8"), serialization_options=_OPTIONS)
    for block in parsed["resource"]:
        if name in block.get(kind, {}):
            found: Block = block[kind][name]
            return found
    raise ValueError(f"there is no {kind}.{name} in {folder}")


def _one(value: Block | list[Block]) -> Block:
    return value[0] if isinstance(value, list) else value


def _resolved(value: object, variables: Mapping[str, object]) -> object:
    match = re.fullmatch(r"\$\{var\.(\w+)\}", str(value))
    return variables[match[1]] if match else value


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _timer(path: Path, key: str) -> float:
    match = re.search(rf"^{key}=(\d+)$", path.read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{path.name} has no {key}")
    return float(match[1])


def _capacities(path: Path) -> tuple[bool, bool]:
    """Return whether a machine lowers the group: when it was idle, and when AWS takes it."""
    idle, taken = re.findall(r"capacity=--(no-)?should-decrement", path.read_text("utf-8"))
    return not idle, not taken


def _prices(path: Path) -> tuple[float, float]:
    text = path.read_text("utf-8")
    spot = re.search(r"spot at ([\d.]+) an hour", text)
    on_demand = re.search(r"on demand at ([\d.]+)", text)
    if spot is None or on_demand is None:
        raise ValueError(f"{path} states no prices an hour")
    return float(spot[1]), float(on_demand[1])
