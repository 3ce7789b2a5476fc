"""Make `aws_provider_schema.json` anew, on a machine that reaches the provider.

    cd terraform/environments/team && terraform init -backend=false
    terraform providers schema -json >schema.json
    python tests/deploy/reduce_schema.py schema.json VERSION

Only names stay, and which of them are required, and only of the types that our Terraform uses. The
file that is here was made from the published Python bindings of the same provider, which name the
same arguments.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
AWS = "registry.terraform.io/hashicorp/aws"
_USED = re.compile(r'^(resource|data) "(aws_\w+)"', re.MULTILINE)


def used_types() -> set[str]:
    """Types that our Terraform names; data sources with `data.` before them."""
    return {
        ("data." if kind == "data" else "") + name
        for path in TERRAFORM.rglob("*.tf")
        for kind, name in _USED.findall(path.read_text("utf-8"))
    }


def reduce(schemas: dict[str, Any], used: set[str]) -> dict[str, Any]:
    """Return type → arguments and attributes, from what `terraform providers schema` prints."""
    provider = schemas["provider_schemas"][AWS]
    types = {}
    for name in sorted(used):
        of_kind = "data_source_schemas" if name.startswith("data.") else "resource_schemas"
        block = provider[of_kind][name.removeprefix("data.")]["block"]
        attributes = block.get("attributes", {})
        types[name] = {
            "arguments": _arguments(block),
            "attributes": sorted(key for key, body in attributes.items() if body.get("computed")),
        }
    return types


def _arguments(block: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: bool(body.get("required"))
        for name, body in block.get("attributes", {}).items()
        if body.get("required") or body.get("optional")
    }
    for name, nested in block.get("block_types", {}).items():
        required = nested.get("min_items", 0) > 0
        found[name] = {"required": required, "block": _arguments(nested["block"])}
    return dict(sorted(found.items()))


def render(types: dict[str, Any], version: str) -> str:
    """Return the file: one type a line, so that a difference can be read."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(body, separators=(',', ':'))}"
        for name, body in sorted(types.items())
    ]
    provider = json.dumps(f"hashicorp/aws {version}")
    return f'{{\n"provider": {provider},\n"types": {{\n' + ",\n".join(lines) + "\n}\n}\n"


def main(schema_file: str, version: str) -> None:
    """Write the file."""
    schemas = json.loads(Path(schema_file).read_text("utf-8"))
    target = Path(__file__).with_name("aws_provider_schema.json")
    target.write_text(render(reduce(schemas, used_types()), version), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
